"""The tensors in files of ``torch.save``, whatever else these hold, read without running anything.

Training programs save their whole state: besides weights, objects of classes that need not be
installed. ``torch.load`` either refuses such files or calls what they name, so both formats of
torch are read here, with a reader that calls only the functions of ``_MADE``.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from typing import IO, TYPE_CHECKING, Any, ClassVar

import torch

from poselab.io.memory import check_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

_ARCHIVE = b"PK\x03\x04"
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # of the format before torch 1.6
_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def read_weights(path: Path) -> Any:
    """The dictionaries, lists, plain values and tensors of a file; other objects are `IGNORED`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is broken, or was not made by ``torch.save``; the message gives the reason.
    """
    try:
        with path.open("rb") as file:
            archive = file.read(len(_ARCHIVE)) == _ARCHIVE
            file.seek(0)
            return _read_archive(file) if archive else _read_pickles(file)
    except (FileNotFoundError, InputError):
        raise
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError("it ends too early") from error
    except Exception as error:  # broken pickles may raise any error
        raise ValueError("it was not made by torch.save, or is broken") from error


class _Ignored:
    """Any other object; nothing that a pickle does with it has an effect."""

    def __new__(*_: Any, **__: Any) -> Any:  # the first argument, too, is what the pickle says
        return IGNORED

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignored."""

    def _nothing(self, _: Any) -> None:
        """Ignored."""

    append = extend = add = _nothing


IGNORED = object.__new__(_Ignored)


def _strided(flat: Tensor, offset: int, size: tuple[int, ...], stride: Any, *_: Any) -> Tensor:
    """A tensor as a view of its storage; torch checks that it lies within."""
    return flat.as_strided(size, stride, offset)


def _data(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


_MADE: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): dict,
    ("torch._utils", "_rebuild_tensor"): _strided,
    ("torch._utils", "_rebuild_tensor_v2"): _strided,
    ("torch._utils", "_rebuild_parameter"): _data,
    ("torch._utils", "_rebuild_parameter_with_state"): _data,
    **{("torch", name): dtype for name, dtype in _STORAGES.items()},
}


# Python's own unpickler: the one in C fills memory when a pickle numbers its objects from 2**31.
class _Reader(pickle._Unpickler):
    """storage: the flat tensor that a pickle refers to by (type, key, location, length, ...)."""

    def __init__(self, file: IO[bytes], storage: Callable[..., Any]) -> None:
        super().__init__(file, encoding="latin1")  # of strings that Python 2 wrote
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name: never what has that name in Python."""
        return _MADE.get((module, name), IGNORED)

    def persistent_load(self, pid: Any) -> Any:
        """The storage, or nothing for the source code of a module."""
        kind, *reference = pid
        return self._storage(*reference) if kind == "storage" else IGNORED

    def _leave_out_state(self) -> None:
        self.stack.pop()  # type: ignore[attr-defined]

    # Neither weights nor dictionaries have a state, and other objects must not get one.
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: _leave_out_state,
    }


def _read_archive(file: IO[bytes]) -> Any:
    """A zip file with a pickle and one file for each storage, of torch 1.6 and later."""
    archive = zipfile.ZipFile(file)
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > os.fstat(file.fileno()).st_size:  # torch does not compress
        check_memory(unpacked, file.name)
    folder = next(name for name in archive.namelist() if name.endswith("/data.pkl"))[:-8]
    if (
        f"{folder}byteorder" in archive.namelist()
        and archive.read(f"{folder}byteorder") != b"little"
    ):
        raise InputError(
            f"expected numbers in {file.name} with the lowest byte first; save it again"
        )
    storages: dict[str, Tensor] = {}

    def storage(dtype: torch.dtype, key: str, *_: Any) -> Tensor:
        if key not in storages:
            member = archive.getinfo(f"{folder}data/{key}")
            storages[key] = torch.empty(member.file_size, dtype=torch.uint8)
            with archive.open(member) as content:
                _fill(storages[key], content)
        return storages[key].view(dtype)

    return _Reader(io.BytesIO(archive.read(f"{folder}data.pkl")), storage).load()


def _read_pickles(file: IO[bytes]) -> Any:
    """Pickles one after the other, then the storages, as torch wrote them before 1.6."""
    size = os.fstat(file.fileno()).st_size
    storages: dict[str, Tensor] = {}

    def storage(dtype: torch.dtype, key: str, _: Any, length: int, view: Any) -> Tensor:
        if length * dtype.itemsize > size:
            raise EOFError
        flat = storages.setdefault(key, torch.empty(length, dtype=dtype))
        return flat if view is None else flat.narrow(0, *view[1:])

    def content() -> Any:
        return _Reader(file, storage).load()

    if content() != _MAGIC_NUMBER:
        raise pickle.UnpicklingError
    content()  # the version of the format
    content()  # sizes of types in C
    made = content()
    for key in content():
        if int.from_bytes(file.read(8), "little") != len(storages[key]):
            raise EOFError
        _fill(storages[key].view(torch.uint8), file)
    return made


def _fill(flat: Tensor, file: IO[bytes]) -> None:
    """Read the bytes of a storage."""
    left = memoryview(flat.numpy())  # type: ignore[arg-type]
    while len(left):
        count = file.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]
