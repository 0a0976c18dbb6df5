"""The content of an annotation file, and of the file beside it that its format needs."""

from __future__ import annotations

import gc
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from poselab.io.files import read_bytes
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def files_of(path: Path) -> tuple[Path, ...]:
    """An annotation file and the one beside it that its format also needs.

    ``valid.json`` has head boxes in ``gt_valid.mat``; ``valid.h5`` names in ``valid_images.txt``.
    """
    beside = {".json": f"gt_{path.stem}.mat", ".h5": f"{path.stem}_images.txt"}.get(path.suffix)
    other = path.with_name(beside) if beside else None
    return (path, other) if other is not None and other.is_file() else (path,)


@dataclass(frozen=True)
class SourceFile:
    """An annotation file, read once, so that its fingerprint and table are of the same bytes."""

    path: Path
    content: bytes
    beside: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all the bytes."""
        digest = hashlib.sha256(self.content)
        for name, content in sorted(self.beside.items()):
            digest.update(f"\n{name} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()[:32]

    @cached_property
    def text(self) -> bytes:
        """The content, decompressed where it is gzip."""
        if self.content[:2] != b"\x1f\x8b":
            return self.content
        import gzip
        import zlib

        try:
            return gzip.decompress(self.content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"expected a whole gzip file at {self.path}, but {error}; fetch it again"
            ) from None

    def json(self) -> Any:
        """The parsed content; NaN and Infinity, which Python writes, are read as floats.

        Raises:
            InputError: it is not JSON.
        """
        import json

        import orjson

        try:
            return orjson.loads(self.text)
        except orjson.JSONDecodeError as error:
            reason = str(error)
        try:
            return json.loads(self.text)
        except ValueError:
            raise InputError(
                f"expected JSON in {self.path}, but {reason}; is it cut off?"
            ) from None

    def mat(self, content: bytes | None = None, plain: bool = True) -> dict[str, Any]:
        """The variables of a MATLAB file, or of its ``content``; not ``plain``: structs as objects.

        Raises:
            InputError: it is not a MATLAB file.
        """
        import io

        import scipy.io

        options = {} if plain else {"squeeze_me": True, "struct_as_record": False}
        try:
            loaded: dict[str, Any] = scipy.io.loadmat(
                io.BytesIO(self.content if content is None else content), **options
            )
        except Exception as error:  # scipy raises many kinds of errors for broken files
            raise InputError(
                f"expected a MATLAB file (v4 to v7.2) at {self.path}, but {error}; fetch it again"
            ) from None
        return loaded


def read_source(path: Path) -> SourceFile:
    """Read an annotation file and the file beside it that its format needs.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    first, *others = files_of(path)
    beside = {other.name: read_bytes(other, "a file of the annotations") for other in others}
    return SourceFile(path, read_bytes(first, "an annotation file"), beside)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, which would visit millions of values that are still in use."""
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()
