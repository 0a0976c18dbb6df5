"""One key of all entries of a JSON list as a typed column; errors name the first wrong entry."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import columns
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.source_file import SourceFile

Entries = list[dict[str, Any]]
_WRONG_VALUE = (KeyError, TypeError, ValueError, OverflowError, struct.error, AttributeError)


class JsonKey(NamedTuple):
    """A key of an entry, what its values are in words, and the function that makes their column."""

    key: str
    expected: str
    build: Callable[[list[Any]], Any]


def integer_key(key: str, expected: str = "a whole number") -> JsonKey:
    """A key of whole numbers."""
    return JsonKey(key, expected, columns.integer_column)


def number_column(values: list[Any]) -> Any:
    """A float64 column of numbers; struct.error where one is something else."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))


def read_column(
    source: SourceFile, entries: Entries, key: JsonKey, default: Any = None, empty: bool = False
) -> Any:
    """One key of all entries as a column.

    ``default`` replaces a missing value, and with ``empty`` also an empty one.

    Raises:
        InputError: a value cannot be read; the message names its entry.
    """
    try:
        return key.build([entry[key.key] for entry in entries])
    except _WRONG_VALUE:
        pass
    try:
        values = [_value(entry, key.key, default, empty) for entry in entries]
        return key.build(values)
    except _WRONG_VALUE:
        for row, entry in enumerate(entries):
            try:
                key.build([_value(entry, key.key, default, empty)])
            except _WRONG_VALUE:
                raise InputError(_wrong_entry(source, row, entry, key)) from None
        raise


def _value(entry: dict[str, Any], key: str, default: Any, empty: bool) -> Any:
    value = entry.get(key, default)
    return default if empty and not value else value


def _wrong_entry(source: SourceFile, row: int, entry: Any, key: JsonKey) -> str:
    if not isinstance(entry, dict):
        return (
            f"expected objects in the lists of {source.path}, got {str(entry)[:40]!r} at "
            f"row {row}; is it a COCO keypoints file?"
        )
    kind = "annotation" if "image_id" in entry or "keypoints" in entry else "image"
    number = entry.get("id")
    name = f"the {kind} number {row + 1}" if number is None else f"{kind} {number}"
    value = _abbreviated(entry[key.key]) if key.key in entry else "nothing"
    return (
        f"expected `{key.key}` of {name} in {source.path} to be {key.expected}, got {value}; "
        "correct or remove that entry"
    )


def _abbreviated(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} values" + ("" if len(value) > 8 else f" {value}")
    return repr(value)[:60]
