"""Pickles that hold arrays, tensors and plain values; anything else is refused before it is made.

A pickle names functions that the reader calls, so that a file from elsewhere can run any code. Here
only those names are found that arrays are made with, and none of them runs code of the file.
"""

from __future__ import annotations

import importlib
import io
import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from poselab.io.files import read_bytes
from poselab.io.json_text import shortened
from poselab.io.memory import (
    VARIABLE,
    bounded_memory,
    check_memory,
    in_words,
    max_memory,
)
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NUMPY = {
    **{f"numpy.{core}.multiarray": ("_reconstruct", "scalar") for core in ("core", "_core")},
    **{f"numpy.{core}.numeric": ("_frombuffer",) for core in ("core", "_core")},
    "numpy": ("ndarray", "dtype"),
}


def read_pickle(path: Path, what: str) -> Any:
    """What a pickle holds that ``what`` describes, if that is arrays, tensors and plain values.

    Raises:
        InputError: no such file, a damaged one, or one that holds anything else.
    """
    content = read_bytes(path, what)
    check_memory(len(content), str(path))
    if b"torch" in content:  # its libraries take more address space than the file may
        importlib.import_module("torch")
    try:
        # A pickle of 12 bytes can number its objects from 2**31, for which memory is then filled.
        with bounded_memory(max_memory()):
            return _Reader(io.BytesIO(content)).load()
    except InputError:
        raise
    except MemoryError:
        raise InputError(
            f"expected at most {in_words(max_memory())} unpacked from {path}, got more; if you "
            f"trust the file, raise the limit with {VARIABLE}, for example {VARIABLE}=16G"
        ) from None
    except _OtherObjectError as error:
        raise InputError(
            f"expected {what} of arrays and plain values in {path}, got an object of {error}, "
            "which is not read because pickles can run code; save arrays"
        ) from None
    except Exception as error:  # damaged pickles raise any error
        reason = shortened(str(error) or type(error).__name__, 120)
        raise InputError(f"expected a pickle at {path}, but {reason}; save it again") from None


class _OtherObjectError(pickle.UnpicklingError):
    """The pickle names something that is not among the few that are found."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may call by that name."""
        if (module, name) in _OWN:
            return _OWN[module, name]
        if name in _NUMPY.get(module, ()):
            place = module.replace("numpy.core.", "numpy._core.")
            try:
                return getattr(importlib.import_module(place), name)
            except ImportError:  # NumPy 1
                return getattr(importlib.import_module(module), name)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return importlib.import_module(module)._rebuild_tensor_v2
        raise _OtherObjectError(shortened(f"{module}.{name}", 80)[1:-1])

    def persistent_load(self, pid: Any) -> Any:
        """Nothing lies outside the file."""
        raise _OtherObjectError("another file")


def _latin_bytes(text: str, encoding: str) -> bytes:
    """Bytes as protocol 2 writes them; other encodings can unpack or look up anything."""
    if encoding != "latin1":
        raise _OtherObjectError("an encoding")
    return text.encode("latin1")


def _storage(content: bytes) -> Any:
    """A tensor's storage; torch's own function would unpickle it without limits."""
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


_OWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _latin_bytes,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("collections", "OrderedDict"): OrderedDict,
    **{(place, "set"): set for place in ("builtins", "__builtin__")},
    **{(place, "frozenset"): frozenset for place in ("builtins", "__builtin__")},
}
