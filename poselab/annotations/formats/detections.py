"""Boxes of a person detector, in the layout of ``COCO_val2017_detections_*.json``."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import MAX_COORDINATE, all_within, integer_column, vector_column
from poselab.annotations.source_file import collector_paused
from poselab.io.files import read_json
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.structures import Floats, Ints

PERSON = 1
_KEYS = ("image_id", "bbox", "score")


class Detections(NamedTuple):
    """Columns in the file's order: image_ids (D,) int64, boxes (D, 4) float64 0-based image
    pixels x y w h, scores (D,) float64."""

    image_ids: Ints
    boxes: Floats
    scores: Floats


def read_detections(path: Path) -> Detections:
    """The boxes of people (category 1, or no category) of a detections file.

    Raises:
        InputError: no such file, not a list of such objects, impossible numbers, or no
            person in it.
    """
    with collector_paused():
        entries = read_json(path, "a detections file")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise InputError(
                f"expected a list of detections (image_id, bbox, score) in {path}, got another "
                "shape; is it an annotation file?"
            )
        instances = [entry for entry in entries if entry.get("category_id", PERSON) == PERSON]
        if not instances:
            raise InputError(
                f"expected boxes of people (category_id 1) in {path}, found none among "
                f"{len(entries)} detections; choose another file"
            )
        detections = _columns(path, instances)
    finite = np.isfinite(detections.boxes).all(axis=1) & np.isfinite(detections.scores)
    if not finite.all():
        raise InputError(_sentence(path, instances[int(np.argmin(finite))], "finite numbers"))
    if not all_within(detections.boxes, MAX_COORDINATE):
        near = (np.abs(detections.boxes) <= MAX_COORDINATE).all(axis=1)
        wanted = f"boxes within ±{MAX_COORDINATE:,.0f} pixels"
        raise InputError(_sentence(path, instances[int(np.argmin(near))], wanted))
    return detections


def _columns(path: Path, instances: list[dict[str, Any]]) -> Detections:
    try:
        return _build(instances)
    except (KeyError, TypeError, ValueError, OverflowError, struct.error):
        for entry in instances:
            try:
                _build([entry])
            except (KeyError, TypeError, ValueError, OverflowError, struct.error):
                raise InputError(_sentence(path, entry, ", ".join(_KEYS))) from None
        raise


def _build(instances: list[dict[str, Any]]) -> Detections:
    return Detections(
        image_ids=integer_column([entry["image_id"] for entry in instances]),
        boxes=vector_column([entry["bbox"] for entry in instances], 4).astype(np.float64),
        scores=vector_column([(entry["score"],) for entry in instances], 1)[:, 0].astype(
            np.float64
        ),
    )


def _sentence(path: Path, entry: dict[str, Any], wanted: str) -> str:
    got = {key: entry.get(key) for key in _KEYS}
    return (
        f"expected {wanted} in every detection of {path}, got {shortened(got, 120)}; correct or "
        "remove it"
    )
