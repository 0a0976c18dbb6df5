"""Folders that one process has to itself, whatever other processes start at the same moment."""

from __future__ import annotations

import errno
import os
import tempfile
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
        InputError: another process writes to the folder, or it cannot be written.
    """
    made = _make_writable(folder)
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
        _remove_empty(made or [folder])


def check_output_folder(folder: Path) -> None:
    """Check that files can be written to a folder, which would be made if needed.

    Raises:
        InputError: they cannot.
    """
    _remove_empty(_make_writable(folder))


def check_output_file(file: Path) -> None:
    """Check that a file can be written, in a folder that would be made if needed.

    Raises:
        InputError: it cannot.
    """
    if file.is_dir():
        raise InputError(f"expected a file to write to, got the folder {file}; name a file in it")
    if file.is_file() or not file.exists():  # no terminal or other device
        check_output_folder(file.parent)


def _make_writable(folder: Path) -> list[Path]:
    """Make a folder and those above it, and try to write there; those made, the innermost first."""
    made: list[Path] = []
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return made
    except (OSError, ValueError) as error:
        _remove_empty(made)
        raise _unusable(folder, error) from None


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):  # there are files in it, or it was never made
        for folder in folders:
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
