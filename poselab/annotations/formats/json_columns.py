"""One key of a JSON list's entries as a typed column, or a sentence on the entry that misfits."""

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
_MISFITS = (KeyError, TypeError, ValueError, OverflowError, struct.error, AttributeError)


class Field(NamedTuple):
    """A key of an entry, what it must hold, and what makes a column of such values."""

    key: str
    wanted: str
    build: Callable[[list[Any]], Any]


def whole(key: str, wanted: str = "a whole number") -> Field:
    """A field of whole numbers."""
    return Field(key, wanted, columns.integers)


def numbers(values: list[Any]) -> Any:
    """A float64 column of numbers; struct.error where one is something else."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))


def column(
    source: SourceFile, entries: Entries, field: Field, default: Any = None, empty: bool = False
) -> Any:
    """One key of all entries as a column, or a sentence on the first entry that does not fit.

    ``default`` stands for a key that is absent, and with ``empty`` for an empty value.

    Raises:
        InputError: naming the first entry that does not fit.
    """
    try:
        return field.build([entry[field.key] for entry in entries])
    except _MISFITS:
        pass
    try:
        values = [_value(entry, field.key, default, empty) for entry in entries]
        return field.build(values)
    except _MISFITS:
        for row, entry in enumerate(entries):
            try:
                field.build([_value(entry, field.key, default, empty)])
            except _MISFITS:
                raise InputError(_misfit(source, row, entry, field)) from None
        raise


def _value(entry: dict[str, Any], key: str, default: Any, empty: bool) -> Any:
    value = entry.get(key, default)
    return default if empty and not value else value


def _misfit(source: SourceFile, row: int, entry: Any, field: Field) -> str:
    if not isinstance(entry, dict):
        return (
            f"expected objects in the lists of {source.path}, got {str(entry)[:40]!r} at "
            f"row {row}; is it a COCO keypoints file?"
        )
    kind = "annotation" if "image_id" in entry or "keypoints" in entry else "image"
    number = entry.get("id")
    name = f"the {kind} number {row + 1}" if number is None else f"{kind} {number}"
    found = _brief(entry[field.key]) if field.key in entry else "nothing"
    return (
        f"expected `{field.key}` of {name} in {source.path} to be {field.wanted}, got {found}; "
        "correct or remove that entry"
    )


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} values" + ("" if len(value) > 8 else f" {value}")
    return repr(value)[:60]
