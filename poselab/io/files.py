"""Files that are written whole or not at all, and clear errors about broken ones."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the final name when the block succeeds.

    A terminal or another device is written directly.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder: only within one file system is renaming atomic.
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:40]}.", suffix=path.suffix
        )
        os.close(handle)
        # mkstemp makes files that nobody else can read.
        Path(name).chmod(0o666 & ~_umask())
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"expected to write {path}, but {error.strerror or error}; free space or choose another "
        "folder"
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: Path) -> Any:
    """Read a file of ``torch.save`` to the CPU, if it holds only tensors, arrays and plain values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else; the message gives the reason.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_array_makers()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, MemoryError):
        raise
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except Exception as error:  # a file that is no pickle may raise any error
        raise ValueError(_reason(error)) from error


def _reason(error: Exception) -> str:
    code = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error))
    if code:
        return f"it holds objects of {code[1]}, which are not read; save only their state_dict()"
    if isinstance(error, RuntimeError):  # an archive that is broken, or of another kind
        return str(error).splitlines()[0].partition(". ")[0].rstrip(".")
    return "it ends too early" if isinstance(error, EOFError) else "it was not made by torch.save"


def _array_makers() -> list[Any]:
    """The globals that NumPy's arrays are pickled with; mmpose's weight files hold such arrays."""
    import numpy as np

    makers = {"_reconstruct": np.empty(0).__reduce__()[0], "scalar": np.float32().__reduce__()[0]}
    places = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2
    kinds = {type(np.dtype(name)) for name in ("f2", "f4", "f8", "u1", "i4", "i8", "b1")}
    named = [(made, f"{place}.{name}") for name, made in makers.items() for place in places]
    return [np.ndarray, np.dtype, *kinds, *named]


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; NumPy values are allowed, NaN becomes null; errors as in
    :func:`write_bytes`."""
    import orjson

    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    write_bytes(path, orjson.dumps(content, option=options))


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file that ``what`` describes.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"expected {what} at {path}, found no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"expected {what} at {path}, but {reason}; check the path") from error


def read_json(path: Path, what: str) -> Any:
    """The parsed content of a JSON file that ``what`` describes.

    Raises:
        InputError: no such file, or not JSON.
    """
    from poselab.io.json_text import parse_json

    return parse_json(read_bytes(path, what), f"{path} ({what})")
