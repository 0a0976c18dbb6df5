"""Arrays in text files: JSON and tables of comma-separated values."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.io.compressed import unpacked
from poselab.io.json_text import broken_json, other_encoding, parse_loosely, without_mark
from poselab.io.memory import check_memory
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BYTES_PER_CHARACTER = 24
"""Memory of a parsed table per character of its text, at most about."""

_DELIMITERS = ",;\t"
_OWN_COLUMNS = frozenset(
    f"{of}{what}"
    for what in ("id", "ids", "score", "scores")
    for of in ("", "image_", "img_", "annotation_", "ann_", "pose_", "instance_")
)
"""Titles, in lower case, of columns that are no coordinates of joints."""
_INDEX_NAMES = ("", "index", "Unnamed: 0")
"""Names of the column that pandas numbers rows in."""


def json_arrays(path: Path, content: bytes) -> dict[str, Any]:
    """Nested lists of numbers or texts as arrays: the list itself ("array"), or those of an object
    and of the objects in it, by their names joined by /.

    Raises:
        InputError: it is not JSON.
    """
    tree = parse_loosely(unpacked(path, content), str(path))
    named = {"array": tree} if isinstance(tree, list) else dict(_named_lists(tree, ""))
    arrays = {name: _regular(values) for name, values in named.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def _named_lists(tree: Any, prefix: str) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(tree, dict) and prefix.count("/") < 3:
        for name, value in tree.items():
            yield from _named_lists(value, f"{prefix}/{name}" if prefix else str(name))
    elif isinstance(tree, list) and prefix:
        yield prefix, tree


def _regular(values: list[Any]) -> Any:
    """A list as an array of numbers or texts; None for lists of several lengths or other types."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError, RecursionError):
        return None
    return array if array.dtype.kind in "biufU" else None


def csv_arrays(path: Path, content: bytes) -> dict[str, Any]:
    """The columns of a table in text: all columns of numbers (rows, columns) as "array", without
    those that a header names, and every named or textual column (rows,) by its name.

    Cells are cut at commas, semicolons, tabs, or else at spaces; empty ones are NaN.

    Raises:
        InputError: not UTF-8, or rows of several lengths.
    """
    text = without_mark(unpacked(path, content))
    if other_encoding(text):
        raise broken_json(str(path), "", text)
    check_memory(_BYTES_PER_CHARACTER * len(text), f"{path} when parsed")
    rows = _rows(text.decode(errors="replace"))
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise InputError(
            f"expected rows of one length in {path}, got {min(widths, default=0)} to "
            f"{max(widths, default=0)} cells; is it a table?"
        )
    header = rows.pop(0) if any(_number(cell) is None for cell in rows[0]) and rows[1:] else None
    return _columns(rows, header)


def _rows(text: str) -> list[list[str]]:
    head = text[: 1 << 16]
    delimiter = max(_DELIMITERS, key=head.count)
    lines = (line for line in io.StringIO(text) if line.strip() and not line.startswith("#"))
    if not head.count(delimiter):
        return [line.split() for line in lines]
    try:
        return [[c.strip() for c in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:  # a cell beyond csv's limit, or a zero byte
        return []


def _columns(rows: Sequence[Sequence[str]], header: Sequence[str] | None) -> dict[str, Any]:
    columns: list[Any] = []
    titles: list[str] = []
    named: dict[str, Any] = {}
    for place, cells in enumerate(zip(*rows, strict=True)):
        numbers = [_number(cell) for cell in cells]
        name = header[place] if header else ""
        if None in numbers:
            named[name or f"column {place + 1}"] = np.array(cells)
        elif name.lower() in _OWN_COLUMNS:
            named[name] = np.array(numbers, np.float64)
        elif not (header and name in _INDEX_NAMES):
            columns.append(np.array(numbers, np.float64))
            titles.append(name)
    if joints := _joint_names(titles):
        named["joint_names"] = np.array(joints)
    return named | ({"array": np.stack(columns, axis=1)} if columns else {})


def _joint_names(titles: Sequence[str]) -> list[str]:
    """The joints of columns such as nose_x, nose_y, eye_x, eye_y; none for other titles."""
    parts = [re.fullmatch(r"(.+)[ _.-]([xyXY]|\w+)", title) for title in titles]
    joints = list(dict.fromkeys(part[1] for part in parts if part))
    last = {part[2].lower() for part in parts if part}
    regular = None not in parts and {"x", "y"} <= last and len(last) * len(joints) == len(titles)
    return joints if regular else []


def _number(cell: str) -> float | None:
    try:
        return float(cell) if cell else np.nan
    except ValueError:
        return None
