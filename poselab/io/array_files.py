"""MATLAB and HDF5 files, whose sizes are checked against the memory allowed before reading."""

from __future__ import annotations

import io
import math
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from poselab.io.compressed import MOST_PER_BYTE
from poselab.io.json_text import shortened
from poselab.io.matlab_elements import check_element_types
from poselab.io.memory import check_memory, max_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

_HEADER, _TAG, _COMPRESSED = 128, 8, 15
_HDF5 = b"\x89HDF"
_CELL = 8  # bytes of an element at least: a number, or a pointer to a struct or cell


def matlab_shapes(path: Path, content: bytes) -> dict[str, tuple[int, ...]]:
    """The name and shape of every variable of a MATLAB file with this ``content``.

    Raises:
        InputError: it is not a MATLAB file, or takes more memory than is allowed.
    """
    import scipy.io

    try:
        listed = scipy.io.whosmat(io.BytesIO(content))
        shapes = {str(name): tuple(int(n) for n in shape) for name, shape, _ in listed}
    except Exception as error:  # scipy raises many kinds of errors for broken files
        raise _broken_matlab(path, error) from None
    check_memory(sum(_CELL * math.prod(shape) for shape in shapes.values()), str(path))
    if len(content) * MOST_PER_BYTE > max_memory():
        check_memory(_unpacked_size(content), f"{path} when unpacked")
    return shapes


def matlab_variables(path: Path, content: bytes, plain: bool = True) -> dict[str, Any]:
    """The variables of a MATLAB file; not ``plain``: structs as objects.

    Raises:
        InputError: as :func:`matlab_shapes` says.
    """
    import scipy.io

    matlab_shapes(path, content)
    options = {} if plain else {"squeeze_me": True, "struct_as_record": False}
    try:
        check_element_types(content)
        loaded: dict[str, Any] = scipy.io.loadmat(io.BytesIO(content), **options)
    except Exception as error:  # scipy raises many kinds of errors for broken files
        raise _broken_matlab(path, error) from None
    return loaded


def matlab_arrays(path: Path, content: bytes) -> dict[str, Any]:
    """The variables of a MATLAB file of any version; of v7.3, which is HDF5, the arrays alone.

    Raises:
        InputError: it is neither, or takes more memory than is allowed.
    """
    if _HDF5 not in (content[: len(_HDF5)], content[512 : 512 + len(_HDF5)]):
        return matlab_variables(path, content)
    arrays = hdf5_arrays(path, content)
    return {name: array.T for name, array in arrays.items() if not name.startswith("#")}


def _broken_matlab(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return InputError(
        f"expected a MATLAB file (v4 to v7.2) at {path}, but {reason}; fetch it again"
    )


def _unpacked_size(content: bytes) -> int:
    """Bytes of all compressed variables of a MATLAB 5 file once unpacked, without keeping them."""
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    size, start, limit = 0, _HEADER, max_memory()
    while start + _TAG <= len(content) and size <= limit:
        kind = int.from_bytes(content[start : start + 4], order)
        length = int.from_bytes(content[start + 4 : start + _TAG], order)
        start += _TAG
        if kind == _COMPRESSED:
            size += _stream_size(content[start : start + length], limit)
        start += length
    return size


def _stream_size(packed: bytes, limit: int) -> int:
    unpack, size, step = zlib.decompressobj(), 0, 1 << 14
    try:
        for start in range(0, len(packed), step):
            size += len(unpack.decompress(packed[start : start + step]))
            if size > limit:
                break
    except zlib.error:  # the reader says what is wrong with it
        pass
    return size


def hdf5_arrays(path: Path, content: bytes) -> dict[str, Any]:
    """The arrays of numbers and texts of an HDF5 file, those in groups as GROUP/NAME.

    Raises:
        InputError: it is not an HDF5 file, or takes more memory than is allowed.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = {name: file.get(name) for name in file if not _is_link(file, name)}
            for name, group in list(found.items()):
                if isinstance(group, h5py.Group):
                    group.visititems(lambda n, inner, of=name: found.update({f"{of}/{n}": inner}))
            sets = {
                name: found[name]
                for name in found
                if isinstance(found[name], h5py.Dataset) and found[name].dtype.kind in "biufSO"
            }
            check_memory(sum(int(d.size or 0) * d.dtype.itemsize for d in sets.values()), str(path))
            return {name: np.asarray(dataset) for name, dataset in sets.items()}
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds of errors for broken files
        raise InputError(
            f"expected an HDF5 file at {path}, but {shortened(str(error), 120)}; fetch it again"
        ) from None


def _is_link(file: Any, name: str) -> bool:
    """Whether a name leads to another place or file, which is not followed."""
    import h5py

    return not isinstance(file.get(name, getlink=True), h5py.HardLink)
