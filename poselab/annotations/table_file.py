"""Write a table as one file, and map such a file into memory.

A file is a magic word, the length and checksum of a JSON head, the head (scalars, where each
column lies, and the checksum of all columns), then the columns, aligned. It is written whole or not
at all.

Columns are verified where annotations are opened, not in loader workers, which map the same pages
again. CRC-32 reads 4 GB/s: 10 ms for the 40 MB of COCO's 149,813 people. It finds every flipped bit
and burst of up to 32 bits, and misses other damage once in 4 billion times; it is no signature, as
who can write the cache folder can also replace the program.

It is not safetensors, whose NumPy reader copies every array: 40 MB and 24 ms each time that the
keypoints of COCO's 149,813 people are opened, in every loader worker again. Mapped columns cost a
worker 0.02 MB and, unverified, open in 1 ms (scripts/benchmarks/open_annotations.py).
"""

from __future__ import annotations

import copyreg
import mmap
import struct
import zlib
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.options import with_options
from poselab.annotations.table import Annotations
from poselab.io.files import replacing
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.options import AnnotationOptions
    from poselab.structures import Ints

MAGIC = b"PoseLab2"
VERSION = 9
_HEAD = struct.Struct("<8sQI")
_ALIGN = 64


def save(table: Annotations, path: Path) -> None:
    """Write a table's file.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    import orjson

    scalars, columns = _split(table)
    where, end, checksum = [], 0, 0
    parts: list[Any] = []
    for name, column in columns.items():
        where.append([name, column.dtype.str, column.shape, end])
        parts.append(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
        parts.append(bytes(-column.nbytes % _ALIGN))
        end += -(-column.nbytes // _ALIGN) * _ALIGN
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    described = {"table": scalars, "columns": where, "bytes": end, "checksum": checksum}
    head = orjson.dumps(described)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_HEAD.pack(MAGIC, len(head), zlib.crc32(head)) + head)
        file.write(bytes(-file.tell() % _ALIGN))
        file.writelines(parts)


def _split(table: Annotations) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table's scalars and its columns, without constant ones, such as absent head boxes."""
    values = {field.name: getattr(table, field.name) for field in fields(table)}
    columns = {
        k: v
        for k, v in values.items()
        if isinstance(v, np.ndarray) and (any(v.strides) or not v.size)
    }
    scalars = {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}
    del scalars["options"], scalars["outside_images"]  # of this program's user, not of the file
    return scalars | {"skeleton": asdict(table.skeleton), "cache_file": ""}, columns


def load(path: str | Path, verify: bool = False) -> Annotations:
    """Map the table of a file; ``verify`` also reads all of it, to compare its checksum.

    Raises:
        InputError: there is no whole file of this version.
    """
    try:
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _table(mapped, str(path), verify)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise InputError(
            f"expected a whole annotation cache at {path}, but {error}; open the source again"
        ) from None


def _table(mapped: mmap.mmap, path: str, verify: bool) -> Annotations:
    import orjson

    magic, length, checksum = _HEAD.unpack_from(mapped)
    raw = mapped[_HEAD.size : _HEAD.size + length]
    if magic != MAGIC or zlib.crc32(raw) != checksum:
        raise ValueError("its head is broken")
    head = orjson.loads(raw)
    start = -(-(_HEAD.size + length) // _ALIGN) * _ALIGN
    if len(mapped) != start + head["bytes"]:
        raise ValueError("it is cut off")
    if verify and zlib.crc32(memoryview(mapped)[start:]) != head["checksum"]:
        raise ValueError("its columns are damaged")
    values = dict(head["table"])
    for name, dtype, shape, offset in head["columns"]:
        count = int(np.prod(shape))
        values[name] = np.frombuffer(mapped, dtype, count, start + offset).reshape(shape)
    values.setdefault("head_boxes", np.broadcast_to(0.0, (len(values["boxes"]), 4)))
    values["categories"] = tuple(values["categories"])
    return Annotations(
        **values | {"skeleton": Skeleton.from_record(values["skeleton"]), "cache_file": path}
    )


def _load_rows(
    path: str, image_rows: Ints | None, options: AnnotationOptions, outside_images: bool
) -> Annotations:
    table = replace(load(path), outside_images=outside_images)
    return with_options(table if image_rows is None else table.select(image_rows), options)


def _reduce(table: Annotations) -> tuple[Callable[..., Annotations], tuple[Any, ...]]:
    """Pickle a mapped table as its file's path, which another process maps again."""
    if table.cache_file:
        rows = (table.image_rows, table.options, table.outside_images)
        return _load_rows, (table.cache_file, *rows)
    return Annotations, tuple(getattr(table, field.name) for field in fields(table))


copyreg.pickle(Annotations, _reduce)
