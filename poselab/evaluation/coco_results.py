"""The COCO results format: JSON that may hold a hundred thousand poses, read in small pieces.

A whole file parsed at once is five million Python floats that leave the processor's cache before
they are copied; pieces of some tens of kilobytes are copied while still hot, at half the time and a
fraction of the memory. A piece that was cut in the wrong place cannot be valid JSON, so a failed
piece means: parse the whole.
"""

from __future__ import annotations

import re
import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from poselab.annotations import whole_body
from poselab.files import broken_json
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from poselab.structures import Floats, Ints

PIECE = 1 << 16
PERSON = 1
_BETWEEN_RECORDS = re.compile(rb"\}\s*(,)\s*\{")
_FIELDS = itemgetter("image_id", "score", "keypoints", "category_id")


class Columns(NamedTuple):
    """Records as columns, named and shaped as in Predictions."""

    image_ids: Ints
    annotation_ids: Ints
    keypoints: Floats
    keypoint_scores: Floats
    scores: Floats
    boxes: Floats | None


def parse(data: bytes, source: str, category: int = PERSON) -> Columns:
    """Columns of a COCO results file's bytes; ``source`` is its name in messages.

    ``category`` is the id that its labels give people; PoseLab's own files always say 1.

    Raises:
        InputError: not JSON, not a list of records, or a record that lacks or misshapes a field.
    """
    if not data.lstrip().startswith(b"["):
        raise InputError(
            f"expected a JSON list of predictions in {source}, got something else; "
            "give a file in the COCO results format, not annotations"
        )
    try:
        return _joined(_pieces(data), source, category)
    except (orjson.JSONDecodeError, ValueError):
        return _joined([_whole(data, source)], source, category)


def _joined(pieces: Iterable[list[Any]], source: str, category: int) -> Columns:
    return _join([_columns(records, source, category) for records in pieces if records])


def _pieces(data: bytes) -> Iterator[list[Any]]:
    """The records in lists of about ``PIECE`` bytes of text each."""
    start, end = data.index(b"[") + 1, data.rindex(b"]")
    if data[end + 1 :].strip():
        raise ValueError("expected nothing after the list")
    view = memoryview(data)
    while True:
        cut = _BETWEEN_RECORDS.search(data, min(start + PIECE, end))
        stop = cut.start(1) if cut else end
        yield orjson.loads(b"".join((b"[", view[start:stop], b"]")))
        if not cut:
            return
        start = stop + 1


def _whole(data: bytes, source: str) -> list[Any]:
    try:
        records: list[Any] = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if re.search(rb"\bNaN\b|\bInfinity\b", data):
            raise InputError(
                f"expected finite numbers in {source}, got NaN or Infinity; "
                "the method that wrote it diverged"
            ) from None
        raise broken_json(source, str(error)) from None
    return records


def _columns(records: list[Any], source: str, category: int) -> Columns:
    """One piece's columns."""
    try:
        if "foot_kpts" in records[0]:
            records = [_whole_body(record) for record in records]
        image_ids, scores, points, categories = zip(*map(_FIELDS, records), strict=True)
        width = len(points[0])
        pack = struct.Struct(f"{width}d").pack
        packed = b"".join([pack(*point) for point in points])
        boxes = [r["bbox"] for r in records] if records[0].get("bbox") else None
        if not width or width % 3 or not {*categories} <= {PERSON, category}:
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
    except (KeyError, TypeError, AttributeError, ValueError, struct.error):
        raise InputError(_complaint(records, source, category)) from None


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


def _complaint(records: list[Any], source: str, category: int) -> str:
    """The sentence that says what is wrong with the first bad record."""
    width = None
    for record in records:
        if not isinstance(record, dict):
            return f"expected objects in the list of {source}, got {_short(record)}"
        for field in ("image_id", "category_id", "keypoints", "score"):
            if field not in record:
                return f"expected {field} in every prediction of {source}, got {_short(record)}"
        fault = _fault(record, width, category)
        if fault:
            return f"expected {fault} in {source}, got {_short(record)}"
        width = len(record["keypoints"])
    return f"expected a bbox of four numbers in all predictions of {source} or in none"


def _fault(record: dict[str, Any], width: int | None, category: int) -> str:
    """What the record should have had, or nothing."""
    points = record["keypoints"]
    if not isinstance(points, list) or not all(isinstance(v, int | float) for v in points):
        return "keypoints as one flat list of numbers x, y, score, ..."
    if len(points) % 3 or not points:
        return "three numbers a keypoint"
    if width is not None and len(points) != width:
        return f"{width // 3} keypoints in every prediction"
    if not isinstance(record["score"], int | float):
        return "a number as score"
    if record["category_id"] not in (PERSON, category):
        return f"category_id {category}, a person,"
    if not all(_is_whole(record.get(name, 0)) for name in ("image_id", "annotation_id")):
        return "whole numbers as image_id and annotation_id"
    return ""


def _is_whole(value: object) -> bool:
    return isinstance(value, int | float) and value == int(value)


def _short(record: object) -> str:
    text = repr(record)
    return text if len(text) <= 80 else text[:77] + "..."


def _join(pieces: list[Columns]) -> Columns:
    """All pieces as one; no pieces make a file without predictions, of no keypoints."""
    if not pieces:
        none = np.empty(0, dtype=np.int64)
        return Columns(none, none, np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0), None)
    widths = {piece.keypoints.shape[1] for piece in pieces}
    if len(widths) > 1:
        raise InputError(f"expected as many keypoints in every prediction, got {sorted(widths)}")
    boxes = [piece.boxes for piece in pieces if piece.boxes is not None]
    if boxes and len(boxes) != len(pieces):
        raise InputError("expected a bbox in all predictions or in none, got it in some")
    return Columns(
        np.concatenate([piece.image_ids for piece in pieces]),
        np.concatenate([piece.annotation_ids for piece in pieces]),
        np.concatenate([piece.keypoints for piece in pieces]),
        np.concatenate([piece.keypoint_scores for piece in pieces]),
        np.concatenate([piece.scores for piece in pieces]),
        np.concatenate(boxes) if boxes else None,
    )
