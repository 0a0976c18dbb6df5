"""The arrays of a file of any kind, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.io.array_files import hdf5_arrays, matlab_arrays
from poselab.io.files import read_bytes
from poselab.io.numpy_files import npy_array, npz_arrays
from poselab.io.text_arrays import csv_arrays, json_arrays
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READERS: dict[str, Callable[[Path, bytes], dict[str, Any]]] = {
    ".mat": matlab_arrays,
    ".h5": hdf5_arrays,
    ".hdf5": hdf5_arrays,
    ".npy": npy_array,
    ".npz": npz_arrays,
    ".csv": csv_arrays,
    ".tsv": csv_arrays,
    ".txt": csv_arrays,
    ".json": json_arrays,
}
ARRAY_SUFFIXES = frozenset(_READERS)
"""Endings of the files that :func:`read_named_arrays` reads."""


def read_named_arrays(path: Path, what: str) -> dict[str, Any]:
    """The arrays of a file that ``what`` describes, by name; "array" where they have none.

    Raises:
        InputError: no such file, a damaged one, or one of another kind.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"expected {what} as {', '.join(sorted(ARRAY_SUFFIXES))}, got {path.name[-60:]!r}; "
            "convert it"
        )
    content = reader(path, read_bytes(path, what))
    return {name: array for name, array in content.items() if not name.startswith("__")}
