"""How large one input may grow in memory, so that a small file cannot exhaust it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "POSELAB_MAX_MEMORY"
DEFAULT = "2G"
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def max_memory() -> int:
    """Bytes that the content of one file may take once unpacked; $POSELAB_MAX_MEMORY or 2 GiB.

    Raises:
        InputError: the variable is not a size such as 8G.
    """
    given = os.environ.get(VARIABLE) or DEFAULT
    size = re.fullmatch(
        r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?", given.strip(), re.IGNORECASE
    )
    if not size:
        raise InputError(
            f"expected {VARIABLE} as a size such as 8G, got {given[:40]!r}; correct it"
        )
    return int(float(size[1]) * _UNITS[size[2].upper()])


def check_memory(size: int, what: str) -> None:
    """Check that ``size`` bytes are within :func:`max_memory`; ``what`` names them in the message.

    Raises:
        InputError: they are more.
    """
    limit = max_memory()
    if size > limit:
        raise InputError(
            f"expected at most {in_words(limit)} in {what}, got {in_words(size)} or more; if you "
            f"trust the file, raise the limit with {VARIABLE}, for example {VARIABLE}=16G"
        )


@contextmanager
def bounded_memory(extra: int) -> Iterator[None]:
    """Let this process take at most ``extra`` bytes more of address space inside the block, where
    the system can tell and limit it; beyond, Python raises MemoryError."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + extra
    limits = [most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def in_words(size: int) -> str:
    """A size as a person reads it."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:,.3g} {name}"
    return f"{size} bytes"
