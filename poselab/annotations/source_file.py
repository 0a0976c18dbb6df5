"""The content of an annotation file, and of the file beside it that its format needs."""

from __future__ import annotations

import gc
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from poselab.io.array_files import matlab_variables
from poselab.io.compressed import unpacked
from poselab.io.files import read_bytes
from poselab.io.json_text import parse_loosely, without_mark

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
    """An annotation file, read once, so that its fingerprint and table are of the same bytes.

    ``category`` is the name or id of the only category to use, None for all of people.
    """

    path: Path
    content: bytes
    beside: dict[str, bytes] = field(default_factory=dict)
    category: str | None = None

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
        """The content, decompressed where it is gzip, without a byte order mark."""
        return without_mark(unpacked(self.path, self.content))

    def json(self) -> Any:
        """The parsed content; NaN and Infinity, which Python writes, are read as floats.

        Raises:
            InputError: it is not JSON, or not UTF-8.
        """
        return parse_loosely(self.text, str(self.path))

    def mat(self, content: bytes | None = None, plain: bool = True) -> dict[str, Any]:
        """The variables of a MATLAB file, or of its ``content``; not ``plain``: structs as objects.

        Raises:
            InputError: it is not a MATLAB file, or it takes more memory than is allowed.
        """
        return matlab_variables(self.path, self.content if content is None else content, plain)


def read_source(path: Path, category: str | None = None) -> SourceFile:
    """Read an annotation file and the file beside it that its format needs.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    first, *others = files_of(path)
    beside = {other.name: read_bytes(other, "a file of the annotations") for other in others}
    return SourceFile(path, read_bytes(first, "an annotation file"), beside, category)


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
