"""The name of a detector and its changes, as overrides of its config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BY_SUFFIX = {".json": "file", ".onnx": "yolo", ".ckpt": "tiny"}
"""Which detector reads a file."""


def detector_overrides(words: str, names: Sequence[str]) -> list[str]:
    """Hydra's overrides for "NAME,KEY=VALUE,..." or "FILE,KEY=VALUE,...".

    Raises:
        InputError: neither one of ``names`` nor a file, or a change without "=".
    """
    name, *changes = words.split(",")
    if name in names:
        return [f"detector={name}", *map(_change, changes)]
    path = Path(name)
    kind = _BY_SUFFIX.get(path.suffix.lower(), "tiny" if path.is_dir() else None)
    if kind is None:
        raise InputError(
            f"expected a detector out of {', '.join(names)}, or a file (.json, .onnx, .ckpt), "
            f"got {name!r}; see `poselab detect --help`"
        )
    if not path.exists():
        raise InputError(f"expected a detector at {name}, found no such file; check the path")
    return [f"detector={kind}", f"detector.weights={_quoted(name)}", *map(_change, changes)]


def _change(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals:
        raise InputError(f"expected KEY=VALUE after a detector's comma, got {word!r}")
    return f"detector.{key}={_quoted(value)}"


def _quoted(value: str) -> str:
    """The value in quotes: paths may hold Hydra's own characters. Numbers stay numbers."""
    if value.lower() in ("null", "true", "false") or _is_number(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
