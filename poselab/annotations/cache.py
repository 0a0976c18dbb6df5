"""Tables kept as one memory-mapped file each, named by the source's content.

A cache file is a magic word, the length and checksum of a JSON head, the head (scalars, and where
each column lies), then the columns, aligned. It is written whole or not at all; one that is cut
off, or of another version, is made again.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import sys
import time
import warnings
import zlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.table import Annotations
from poselab.io.files import replacing
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"PoseLab2"
VERSION = 4
_HEAD = struct.Struct("<8sQI")
_ALIGN = 64
_SETTLED = 2.0  # seconds after which a changed file must show another time stamp


def folder() -> Path:
    """Where tables are kept: $POSELAB_CACHE, or the platform's cache folder."""
    if chosen := os.environ.get("POSELAB_CACHE"):
        return Path(chosen) / "annotations"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "poselab" / "annotations"
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "poselab" / "annotations"


def place(fingerprint: str, asked: str) -> Path:
    """The cache file of a content read in the way ``asked``."""
    way = hashlib.sha256(f"{VERSION} {asked}".encode()).hexdigest()[:12]
    return folder() / f"{fingerprint}-{way}.table"


def remembered(files: Sequence[Path]) -> str | None:
    """The fingerprint of files that have not changed since it was remembered.

    Size, inode and the change time, which no program can set back, stand for the content.
    """
    import orjson

    try:
        kept = orjson.loads(_memory(files).read_bytes())
        known = kept["files"] == _stamps(files)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return str(kept["fingerprint"]) if known else None


def remember(files: Sequence[Path], fingerprint: str, before: list[list[Any]]) -> None:
    """Remember the fingerprint, unless a file changed since ``before`` or a moment earlier.

    A file written twice within the clock's resolution would keep its time stamp.
    """
    import orjson

    newest = max(max(stamp[2:4]) for stamp in before) / 1e9
    if before == _stamps(files) and time.time() - newest > _SETTLED:
        content = orjson.dumps({"fingerprint": fingerprint, "files": before})
        with replacing(_memory(files)) as temporary:
            temporary.write_bytes(content)


def stamps(files: Sequence[Path]) -> list[list[Any]]:
    """Name, size, modification and change time (ns) and inode of each file that is there."""
    try:
        return _stamps(files)
    except OSError:
        return []


def _stamps(files: Sequence[Path]) -> list[list[Any]]:
    found = [(file, file.stat()) for file in files]
    return [[str(f), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for f, s in found]


def _memory(files: Sequence[Path]) -> Path:
    name = hashlib.sha256("\n".join(map(str, files)).encode()).hexdigest()[:32]
    return folder() / f"{name}.json"


def save(table: Annotations, path: Path) -> None:
    """Write a table's cache file.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    import orjson

    scalars, columns = _parted(table)
    where, end = [], 0
    for name, column in columns.items():
        where.append([name, column.dtype.str, column.shape, end])
        end += -(-column.nbytes // _ALIGN) * _ALIGN
    head = orjson.dumps({"table": scalars, "columns": where, "bytes": end})
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_HEAD.pack(MAGIC, len(head), zlib.crc32(head)) + head)
        file.write(bytes(-file.tell() % _ALIGN))
        for column in columns.values():
            file.write(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
            file.write(bytes(-column.nbytes % _ALIGN))


def _parted(table: Annotations) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table's scalars, and its columns; constant zeros, as of absent head boxes, stay unkept."""
    values = {field.name: getattr(table, field.name) for field in fields(table)}
    columns = {
        k: v
        for k, v in values.items()
        if isinstance(v, np.ndarray) and (any(v.strides) or not v.size)
    }
    scalars = {k: v for k, v in values.items() if not isinstance(v, np.ndarray)}
    return scalars | {"skeleton": asdict(table.skeleton), "stored": ""}, columns


def load(path: str | Path) -> Annotations:
    """Map the table of a cache file.

    Raises:
        InputError: there is no whole cache file of this version.
    """
    try:
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _table(mapped, str(path))
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise InputError(
            f"expected a whole annotation cache at {path}, but {error}; open the source again"
        ) from None


def _table(mapped: mmap.mmap, path: str) -> Annotations:
    import orjson

    magic, length, checksum = _HEAD.unpack_from(mapped)
    raw = mapped[_HEAD.size : _HEAD.size + length]
    if magic != MAGIC or zlib.crc32(raw) != checksum:
        raise ValueError("its head is broken")
    head = orjson.loads(raw)
    start = -(-(_HEAD.size + length) // _ALIGN) * _ALIGN
    if len(mapped) != start + head["bytes"]:
        raise ValueError("it is cut off")
    values = dict(head["table"])
    for name, dtype, shape, offset in head["columns"]:
        count = int(np.prod(shape))
        values[name] = np.frombuffer(mapped, dtype, count, start + offset).reshape(shape)
    values.setdefault("head_boxes", np.broadcast_to(0.0, (len(values["boxes"]), 4)))
    return Annotations(**values | {"skeleton": _skeleton(values["skeleton"]), "stored": path})


def _skeleton(values: dict[str, Any]) -> Skeleton:
    return Skeleton(
        name=values["name"],
        keypoints=tuple(values["keypoints"]),
        limbs=tuple((a, b) for a, b in values["limbs"]),
        sigmas=None if values["sigmas"] is None else tuple(values["sigmas"]),
    )


_warned: set[str] = set()


def warn_once(error: InputError) -> None:
    """Say one time that tables are made anew each time."""
    if str(folder()) not in _warned:
        _warned.add(str(folder()))
        warnings.warn(
            f"annotations are not cached, {error} (set POSELAB_CACHE)", UserWarning, stacklevel=3
        )
