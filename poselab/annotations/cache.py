"""The cache of opened annotation files: its folder, and the fingerprints of known files.

A table is cached by the fingerprint of its source's content. The fingerprint is stored with the
file's time stamps, so that a large source is not read again to compute it.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.annotations.table_file import VERSION
from poselab.io.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.structures import InputError

_CLOCK_RESOLUTION = 2.0  # seconds; a file written twice within them may keep its time stamp
_warned: set[str] = set()


def folder() -> Path:
    """$POSELAB_CACHE/annotations, or the platform's cache folder."""
    if chosen := os.environ.get("POSELAB_CACHE"):
        return Path(chosen) / "annotations"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "poselab" / "annotations"
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "poselab" / "annotations"


def table_path(fingerprint: str, options: str) -> Path:
    """The cache file of a content that is read with these options."""
    digest = hashlib.sha256(f"{VERSION} {options}".encode()).hexdigest()[:12]
    return folder() / f"{fingerprint}-{digest}.table"


def known_fingerprint(files: Sequence[Path]) -> str | None:
    """The fingerprint of files that have not changed since it was stored.

    Size, inode and the change time, which no program can set back, stand for the content.
    """
    import orjson

    try:
        stored = orjson.loads(_fingerprint_file(files).read_bytes())
        unchanged = stored["files"] == _stamps(files)
        fingerprint = stored["fingerprint"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    whole = isinstance(fingerprint, str) and re.fullmatch("[0-9a-f]{32}", fingerprint)
    return fingerprint if unchanged and whole else None


def remember_fingerprint(files: Sequence[Path], fingerprint: str, stamps: list[list[Any]]) -> None:
    """Store a fingerprint, unless a file has changed since ``stamps`` or just before.

    Raises:
        InputError: the cache folder cannot be written.
    """
    import orjson

    newest = max(max(stamp[2:4]) for stamp in stamps) / 1e9
    if stamps == _stamps(files) and time.time() - newest > _CLOCK_RESOLUTION:
        write_bytes(
            _fingerprint_file(files), orjson.dumps({"fingerprint": fingerprint, "files": stamps})
        )


def file_stamps(files: Sequence[Path]) -> list[list[Any]]:
    """Name, size, modification and change time (ns) and inode of each file; [] if one is absent."""
    try:
        return _stamps(files)
    except OSError:
        return []


def _stamps(files: Sequence[Path]) -> list[list[Any]]:
    states = [(file, file.stat()) for file in files]
    return [[str(f), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for f, s in states]


def _fingerprint_file(files: Sequence[Path]) -> Path:
    name = hashlib.sha256("\n".join(map(str, files)).encode()).hexdigest()[:32]
    return folder() / f"{name}.json"


def warn_of_damage(error: InputError) -> None:
    """Note that a damaged cache file is replaced."""
    reason = str(error).partition(";")[0]
    warnings.warn(f"the annotation cache is made again, {reason}", UserWarning, stacklevel=5)


def warn_once(error: InputError) -> None:
    """Warn that the cache cannot be written, once per process."""
    if str(folder()) not in _warned:
        _warned.add(str(folder()))
        warnings.warn(
            f"annotations are not cached, {error} (set POSELAB_CACHE)", UserWarning, stacklevel=3
        )
