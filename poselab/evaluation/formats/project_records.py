"""Lists of detections as other projects write them, almost in the COCO results format.

ultralytics' ``predictions.json`` names an image by the number or the text that its file's name is,
and numbers categories from 1 (formerly 0) without COCO; Detectron2's ``instances_predictions.pth``
numbers categories from 0, its ``coco_instances_results.json`` and RF-DETR's records as the
annotations do; models of [K, 2] keypoints write no score of each.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.formats import coco_results
from poselab.evaluation.images import rows_of_names
from poselab.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.structures import Ints


class ReadRecords(NamedTuple):
    """Predictions, and sentences that say what was read in another way than COCO has it."""

    predictions: Predictions
    notes: tuple[str, ...]


def is_list_of_records(tree: Any) -> bool:
    """Whether a parsed file is a list of detections with keypoints."""
    return (
        isinstance(tree, list)
        and bool(tree)
        and isinstance(tree[0], dict)
        and ("keypoints" in tree[0] and "image_id" in tree[0])
    )


def records_of_images(tree: Any) -> list[Any] | None:
    """The records of Detectron2's list of images, each with its "instances"; None for others."""
    images = tree if isinstance(tree, list) else []
    if not images or not all(isinstance(i, dict) and "instances" in i for i in images):
        return None
    listed = [image["instances"] for image in images]
    if not all(isinstance(instances, list) for instances in listed):
        return None
    return [record for instances in listed for record in instances]


def predictions_of_records(
    records: list[Any], source: str, annotations: Annotations
) -> ReadRecords:
    """The predictions of a list of records; ``source`` is its name in messages.

    Raises:
        InputError: a record lacks or misshapes a field, or names an unknown category.
    """
    notes: list[str] = []
    plain = [dict(r) if isinstance(r, dict) else r for r in records]
    if all(isinstance(record, dict) for record in plain):
        notes += [_numbered_images(plain, annotations), _numbered_categories(plain, annotations)]
        notes.append(_triples(plain, len(annotations.skeleton)))
    found = Predictions(*coco_results.columns_of_records(plain, source, annotations.categories))
    return ReadRecords(found, tuple(note for note in notes if note))


def _numbered_images(records: Sequence[dict[str, Any]], annotations: Annotations) -> str:
    """Give the records the annotations' image ids where they name files."""
    named = [record.get("file_name", record.get("image_id")) for record in records]
    if not all(isinstance(name, str | int) and not isinstance(name, bool) for name in named):
        return ""
    if all(isinstance(name, int) for name in named):
        return ""
    rows = rows_of_names(annotations, [str(name) for name in named])
    numbers = _rows_of_numbers(annotations)
    for n, name in enumerate(named):
        rows[n] = numbers.get(name, rows[n]) if isinstance(name, int) else rows[n]
    if (rows < 0).any():
        return ""
    ids = annotations.image_ids[rows].tolist()
    if ids == [record.get("image_id") for record in records]:
        return ""
    for record, number in zip(records, ids, strict=True):
        record["image_id"] = number
    return "images are told by the names of their files, as ultralytics writes them"


def _numbered_categories(records: Sequence[dict[str, Any]], annotations: Annotations) -> str:
    """Give the records the annotations' category ids where they are numbered from 0 or 1."""
    known = sorted(annotations.categories)
    numbers = [record.get("category_id") for record in records]
    if not all(type(number) is int for number in numbers):
        return ""
    ids = set(numbers)
    if ids <= {coco_results.PERSON, *known}:
        return ""
    for first in (0, 1):
        if ids <= set(range(first, first + len(known))):
            for record in records:
                record["category_id"] = known[record["category_id"] - first]
            return f"category ids are taken as numbered from {first}, in the annotations' order"
    return ""


def _triples(records: Sequence[dict[str, Any]], joints: int) -> str:
    """Make keypoints flat lists of x, y, score; where there are no scores, they are 1."""
    pairs = False
    for record in records:
        points = record.get("keypoints")
        if isinstance(points, list) and points and all(isinstance(p, list) for p in points):
            points = [value for point in points for value in point]
        if isinstance(points, list) and len(points) == 2 * joints:
            pairs = True
            points = [v for x, y in zip(points[::2], points[1::2], strict=True) for v in (x, y, 1)]
        if points is not None:
            record["keypoints"] = points
    return "keypoints have no scores, which are taken as 1" if pairs else ""


def ids_of_numbered_names(image_ids: Ints, annotations: Annotations) -> Ints | None:
    """The annotations' image ids, where ``image_ids`` (N,) are the numbers that files are called;
    None where they are not, or are known ids."""
    if np.isin(image_ids, annotations.image_ids).all():
        return None
    rows = _rows_of_numbers(annotations)
    found = np.array([rows.get(number, -1) for number in image_ids.tolist()], np.int64)
    return None if (found < 0).any() else annotations.image_ids[found]


def _rows_of_numbers(annotations: Annotations) -> dict[int, int]:
    """The image row by the number that a file is called; none if two are called alike."""
    stems = [PurePosixPath(annotations.file_name(n)).stem for n in range(len(annotations))]
    numbered = [(int(stem), n) for n, stem in enumerate(stems) if stem.isdecimal()]
    rows = dict(numbered)
    return rows if len(rows) == len(numbered) else {}
