"""NumPy's own files, whose headers are checked before anything is allocated or unpickled."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.io.json_text import shortened
from poselab.io.memory import check_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path


def npy_array(path: Path, content: bytes) -> dict[str, Any]:
    """The array of a .npy file with this ``content``, under the name "array".

    Raises:
        InputError: it is damaged, holds pickled objects, or takes more memory than is allowed.
    """
    return {"array": _parsed(str(path), content)}


def npz_arrays(path: Path, content: bytes) -> dict[str, Any]:
    """The arrays of a .npz file with this ``content``, by name.

    Raises:
        InputError: as for :func:`npy_array`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            check_memory(sum(member.file_size for member in members), f"{path} when unpacked")
            return {
                member.filename.removesuffix(".npy"): _parsed(str(path), archive.read(member))
                for member in members
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
    ) as e:
        if isinstance(e, InputError):
            raise
        raise _broken(str(path), e) from None
    except RuntimeError as error:  # zipfile's error for a password
        raise _broken(str(path), error) from None


def _parsed(where: str, content: bytes) -> Any:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        size = math.prod(shape) * dtype.itemsize
        check_memory(size, where)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not read")
        if min(shape, default=0) < 0 or size > len(content) - file.tell():
            raise ValueError(f"it declares shape {shape} and ends too early")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # a damaged header raises errors of Python's parser, too
        raise _broken(where, error) from None


def _broken(where: str, error: Exception) -> InputError:
    reason = shortened(str(error) or type(error).__name__, 120).strip("'\"")
    return InputError(f"expected NumPy arrays of numbers in {where}, but {reason}; save them again")
