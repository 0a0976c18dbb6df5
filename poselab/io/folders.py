"""Folders that one process has to itself, whatever other processes start at the same moment."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def make_new(folder: Path) -> Path:
    """Make a folder that did not exist: this one, or the first free one of FOLDER-2, FOLDER-3, ...

    Raises:
        InputError: the folder cannot be made.
    """
    path, number = folder, 1
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        while True:
            # Only one process can make a folder: a check before would let two of them pass.
            with suppress(FileExistsError):
                path.mkdir()
                return path
            number += 1
            path = folder.with_name(f"{folder.name}-{number}")
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from None


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same from writing to a folder, which is made if needed.

    A folder that is still empty afterwards is removed. Where the file system has no locks, nothing
    is kept from writing.

    Raises:
        InputError: another process writes to the folder, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unusable(folder, error) from None
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
        with suppress(OSError):  # it has files in it
            folder.rmdir()


def _locked(folder: Path) -> int | None:
    """The open and locked folder, which the system unlocks even if the process is killed."""
    try:
        import fcntl
    except ImportError:  # Windows, which cannot lock folders
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(handle)
            raise InputError(
                f"expected no other process to write to {folder}, found one; wait until it has "
                "finished, or choose another folder"
            ) from None
    return handle


def _unusable(folder: Path, error: OSError | ValueError) -> InputError:
    is_file = isinstance(error, (FileExistsError, NotADirectoryError))
    system = getattr(error, "strerror", None) or error
    reason = "that, or a folder above it, is a file" if is_file else system
    return InputError(f"expected a folder to write to at {folder}, but {reason}; choose another")
