"""Compressed content, unpacked only as far as memory is allowed to it."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

from poselab.io.memory import check_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

GZIP = b"\x1f\x8b"
_PIECE = 1 << 24
MOST_PER_BYTE = 1032
"""Bytes that one compressed byte can become at most (deflate's limit)."""


def unpacked(path: Path, content: bytes) -> bytes:
    """The content of a file, decompressed where it is gzip.

    Raises:
        InputError: it is cut off or damaged, or unpacks to more than memory is allowed.
    """
    if content[: len(GZIP)] != GZIP:
        return content
    parts, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while part := file.read(_PIECE):
                size += len(part)
                check_memory(size, f"{path} when unpacked")
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"expected a whole gzip file at {path}, but {error}; fetch it again"
        ) from None
    return b"".join(parts)
