"""One key of all entries of a JSON list as a typed column; errors name the first wrong entry."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import columns
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.source_file import SourceFile

Entries = list[dict[str, Any]]
_WRONG_VALUE = (KeyError, TypeError, ValueError, OverflowError, struct.error, AttributeError)


class JsonKey(NamedTuple):
    """A key of an entry, what its values are in words, and the function that makes their column,
    which raises an error for other values."""

    key: str
    expected: str
    build: Callable[[list[Any]], Any]


def integer_key(key: str, expected: str = "a whole number") -> JsonKey:
    """A key of whole numbers of 64 bits."""
    return JsonKey(key, expected, _integers)


def range_key(key: str, low: int, high: int) -> JsonKey:
    """A key of whole numbers from ``low`` to ``high``."""

    def build(values: list[Any]) -> Any:
        column = columns.integer_column(values)
        if column.size and not low <= column.min() <= column.max() <= high:
            raise ValueError
        return column

    return JsonKey(key, f"a whole number from {low:,} to {high:,}", build)


def number_key(key: str) -> JsonKey:
    """A key of numbers."""
    return JsonKey(
        key, "a number", lambda values: np.frombuffer(struct.pack(f"{len(values)}d", *values))
    )


def text_key(key: str, expected: str) -> JsonKey:
    """A key of texts."""

    def build(values: list[Any]) -> list[str]:
        if not set(map(type, values)) <= {str}:
            raise TypeError
        return values

    return JsonKey(key, expected, build)


def vector_key(key: str, expected: str, length: int) -> JsonKey:
    """A key of flat lists of so many numbers."""
    return JsonKey(key, expected, lambda values: columns.vector_column(values, length))


def _integers(values: list[Any]) -> Any:
    if bool in set(map(type, values)):  # an array would take true for 1
        raise TypeError
    return columns.integer_column(values)


def check_objects(source: SourceFile, section: str, entries: list[Any]) -> None:
    """Check that a list of the file holds objects only.

    Raises:
        InputError: it holds something else.
    """
    if not set(map(type, entries)) <= {dict}:
        row = next(n for n, entry in enumerate(entries) if not isinstance(entry, dict))
        raise InputError(
            f"expected objects in the lists of {source.path}, got {shortened(entries[row], 40)} at "
            f"row {row} of `{section}`; is it a COCO keypoints file?"
        )


def read_column(
    source: SourceFile, entries: Entries, key: JsonKey, default: Any = None, empty: bool = False
) -> Any:
    """One key of all entries as a column.

    ``default`` replaces a missing value or null, and with ``empty`` also an empty one.

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
    value = entry.get(key)
    absent = value is None or (empty and isinstance(value, list) and not value)
    return default if absent else value


def _wrong_entry(source: SourceFile, row: int, entry: dict[str, Any], key: JsonKey) -> str:
    kind = "annotation" if "image_id" in entry or "keypoints" in entry else "image"
    number = entry.get("id")
    named = type(number) is int and key.key != "id"
    name = f"{kind} {number}" if named else f"the {kind} number {row + 1}"
    value = _abbreviated(entry[key.key]) if key.key in entry else "nothing"
    return (
        f"expected `{key.key}` of {name} in {source.path} to be {key.expected}, got {value}; "
        "correct or remove that entry"
    )


def _abbreviated(value: Any) -> str:
    if isinstance(value, list):
        odd = next((v for v in value if type(v) not in (int, float)), None)
        if len(value) <= 8:
            return f"{len(value)} values {shortened(value, 60)}"
        return f"{len(value)} values" + ("" if odd is None else f" with {shortened(odd, 40)}")
    return shortened(value, 60)
