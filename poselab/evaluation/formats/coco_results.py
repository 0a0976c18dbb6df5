"""The COCO results format: JSON that may hold a hundred thousand poses."""

from __future__ import annotations

import struct
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.formats import whole_body
from poselab.evaluation.formats import json_records
from poselab.io.background import in_background
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from poselab.evaluation.formats.json_records import Span
    from poselab.structures import Floats, Ints

PERSON = 1
_FIELDS = itemgetter("image_id", "score", "keypoints", "category_id")


class Columns(NamedTuple):
    """Records as columns, named and shaped as in Predictions."""

    image_ids: Ints
    annotation_ids: Ints
    keypoints: Floats
    keypoint_scores: Floats
    scores: Floats
    boxes: Floats | None


def parse(
    opened: Callable[[], BinaryIO], source: str, categories: Sequence[int] | None = (PERSON,)
) -> Columns:
    """Columns of the COCO results file that ``opened`` opens; ``source`` is its name in messages.

    ``categories`` are the ids that the annotations give people (None: any);
    1 is always allowed too.

    Raises:
        InputError: not JSON, not a list of records, or a record that lacks or misshapes a field.
    """
    start = json_records.beginning(opened, source)
    try:
        return _by_halves(json_records.inside(opened, start), source, categories)
    except ValueError:
        records = json_records.whole(opened, source)
        return columns_of_records(records, source, categories)


def columns_of_records(
    records: list[Any], source: str, categories: Sequence[int] | None = (PERSON,)
) -> Columns:
    """Columns of a parsed list; arguments and errors as for :func:`parse`."""
    return _join([_columns(records, source, categories)] if records else [])


def _by_halves(text: Span, source: str, categories: Sequence[int] | None) -> Columns:
    """All records, those of a second half read by a second process."""
    first, *rest = json_records.halves(text)
    room = (text.stop - text.start) // json_records.PIECE + 2

    def read(part: Span) -> Iterator[Columns]:
        return (_columns(records, source, categories) for records in json_records.pieces(part))

    def second_half() -> list[Columns]:
        return [_join(read(part), room) for part in rest]

    def awaited(result: Callable[[], list[Columns]]) -> Iterator[Columns]:
        yield from result()  # only when the first half is read

    with in_background(second_half, worth_it=bool(rest)) as result:
        return _join(chain(read(first), awaited(result)), room)


def _columns(records: list[Any], source: str, categories: Sequence[int] | None) -> Columns:
    """One piece's columns."""
    try:
        if "foot_kpts" in records[0]:
            records = [_whole_body(record) for record in records]
        image_ids, scores, points, given = zip(*map(_FIELDS, records), strict=True)
        width = len(points[0])
        pack = struct.Struct(f"{width}d").pack
        packed = b"".join([pack(*point) for point in points])
        boxes = [r["bbox"] for r in records] if records[0].get("bbox") else None
        allowed = given if categories is None else (PERSON, *categories)
        if not width or width % 3 or not {*given} <= {*allowed}:
            raise TypeError
        triples = np.frombuffer(packed).reshape(len(records), width // 3, 3)
        return Columns(
            _whole_numbers(image_ids),
            _annotation_ids(records),
            triples[..., :2],
            triples[..., 2],
            _numbers(scores),
            None if boxes is None else _numbers(boxes).reshape(len(records), 4),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, struct.error):
        raise InputError(_what_is_wrong(records, source, categories)) from None


def _whole_body(record: dict[str, Any]) -> dict[str, Any]:
    """A COCO-WholeBody result as one of 133 keypoints, with the score of the whole and the size of
    its box, or else of the body, as its authors' evaluation has it."""
    xs, ys = record["keypoints"][0::3], record["keypoints"][1::3]
    box = record.get("bbox") or [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    score = record.get("wholebody_score", record.get("score"))
    return dict(whole_body.joined(record)) | {"score": score, "bbox": box}


def _annotation_ids(records: list[Any]) -> Ints:
    if not any("annotation_id" in record for record in records):
        return np.full(len(records), -1)
    return _whole_numbers([record.get("annotation_id", -1) for record in records])


def _numbers(values: Sequence[Any]) -> Floats:
    numbers = np.array(values)
    if numbers.dtype.kind not in "iuf":
        raise TypeError
    return numbers.astype(np.float64)


def _whole_numbers(values: Sequence[Any]) -> Ints:
    numbers = np.array(values)
    whole = numbers.astype(np.int64) if numbers.dtype.kind in "iuf" else None
    if whole is None or (whole != numbers).any():
        raise TypeError
    return whole


def _what_is_wrong(records: list[Any], source: str, categories: Sequence[int] | None) -> str:
    """The sentence that says what is wrong with the first bad record."""
    width = None
    for record in records:
        if not isinstance(record, dict):
            return f"expected objects in the list of {source}, got {shortened(record)}"
        for field in ("image_id", "category_id", "keypoints", "score"):
            if field not in record:
                return f"expected {field} in every prediction of {source}, got {shortened(record)}"
        fault = _fault(record, width, categories)
        if fault:
            return f"expected {fault} in {source}, got {shortened(record)}"
        width = len(record["keypoints"])
    return f"expected a bbox of four numbers in all predictions of {source} or in none"


def _fault(record: dict[str, Any], width: int | None, categories: Sequence[int] | None) -> str:
    """What the record should have had, or nothing."""
    points = record["keypoints"]
    if not isinstance(points, list) or not all(isinstance(v, int | float) for v in points):
        return "keypoints as one flat list of numbers x, y, score, ..."
    if len(points) % 3 or not points:
        return "three numbers per keypoint"
    if width is not None and len(points) != width:
        return f"{width // 3} keypoints in every prediction"
    if not isinstance(record["score"], int | float):
        return "a number as score"
    if categories is not None and record["category_id"] not in (PERSON, *categories):
        ids = " or ".join(map(str, categories[:8]))
        return f"category_id {ids}, as the annotations have,"
    if not all(_is_whole(record.get(name, 0)) for name in ("image_id", "annotation_id")):
        return "whole numbers as image_id and annotation_id"
    return ""


def _is_whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) < 1 << 63
    return isinstance(value, int) and abs(value) < 1 << 63


def _join(pieces: Iterable[Columns], room: int = 1) -> Columns:
    """Concatenate pieces into arrays with ``room`` for so many of the first one's length, or more.

    Each is copied to where it stays, because memory touched for the first time costs most. No
    pieces make a file without predictions, of no keypoints.
    """
    whole: list[Any] = []
    count = 0
    for piece in pieces:
        stop = count + len(piece.scores)
        if not whole:
            whole = [_longer(column, room * stop) for column in piece]
        elif stop > len(whole[0]):
            whole = [_longer(column, 2 * stop) for column in whole]
        for column, part in zip(whole, piece, strict=True):
            _put(column, part, slice(count, stop))
        count = stop
    if not whole:
        none = np.empty(0, dtype=np.int64)
        return Columns(none, none, np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0), None)
    return Columns._make(None if column is None else column[:count] for column in whole)


def _put(column: Any, part: Any, rows: slice) -> None:
    if (column is None) != (part is None) or np.shape(column)[1:] != np.shape(part)[1:]:
        raise ValueError("expected records of one kind")
    if column is not None:
        column[rows] = part


def _longer(column: Any, rows: int) -> Any:
    """A column of so many rows that begins with this one."""
    if column is None:
        return None
    longer = np.empty((rows, *column.shape[1:]), column.dtype)
    longer[: len(column)] = column
    return longer
