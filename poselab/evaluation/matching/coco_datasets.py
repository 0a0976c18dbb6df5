"""Predictions and annotations in COCO's layout, which the OKS engines read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.annotations.source_file import collector_paused
from poselab.evaluation.predictions import extents

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

CATEGORY = {"id": 1, "name": "person"}
ROWS_AT_ONCE = 20_000
"""Poses and people that an engine gets at once: its own copy of each takes some 7 KB."""


class CocoDatasets(NamedTuple):
    """Predictions and people of some images, ready for an engine.

    rows (D,) of the predictions that take part; instances (G,) rows of the people; images (N,) mask
    of the images; ground_truth and detections are COCO datasets of them, numbered from 1 in this
    order, because pycocotools takes a match with annotation 0 for no match.
    """

    rows: Ints
    instances: Ints
    images: Mask
    ground_truth: dict[str, Any]
    detections: dict[str, Any]


def coco_datasets(
    predictions: Predictions, annotations: Annotations, images: Mask, max_detections: int
) -> CocoDatasets:
    """The ``max_detections`` best poses of each of the masked images (N,), and all people."""
    with collector_paused():
        inside = np.isin(predictions.image_ids, annotations.image_ids[images])
        rows = _best(predictions, np.flatnonzero(inside), max_detections)
        instances = np.flatnonzero(images[annotations.image_of()])
        ground_truth = _ground_truth(annotations, images, instances)
        detections = _detections(predictions, rows, ground_truth)
        return CocoDatasets(rows, instances, images, ground_truth, detections)


def image_slices(predictions: Predictions, annotations: Annotations, images: Mask) -> list[Mask]:
    """The masked images (N,) as masks (N,) of few poses and people each, in the order of their ids.

    Matching knows only one image at a time, so that slices give what all images at once give.
    """
    row = rows_of(annotations.image_ids, predictions.image_ids)
    counts = np.bincount(row[row >= 0], minlength=len(annotations))
    counts += np.diff(annotations.first_person)
    chosen = np.flatnonzero(images)
    chosen = chosen[np.argsort(annotations.image_ids[chosen], kind="stable")]
    number = np.cumsum(counts[chosen]) // ROWS_AT_ONCE
    slices = [np.zeros_like(images) for _ in np.unique(number)] or [images]
    for part, inside in zip(slices, np.unique(number), strict=False):
        part[chosen[number == inside]] = True
    return slices


def _best(predictions: Predictions, rows: Ints, limit: int) -> Ints:
    """Of some rows, in their order, the ``limit`` best of every image, ties by row as COCO's."""
    by_score = rows[np.argsort(-predictions.scores[rows], kind="stable")]
    _, image = np.unique(predictions.image_ids[by_score], return_inverse=True)
    if image.size and image.max() < 1 << 16:
        image = image.astype(np.uint16)  # NumPy sorts short integers by radix
    order = np.argsort(image, kind="stable")
    images = image[order]
    begin = np.searchsorted(images, images, side="left")
    kept: Ints = np.sort(by_score[order[np.arange(len(order)) - begin < limit]])
    return kept


def _ground_truth(annotations: Annotations, images: Mask, rows: Ints) -> dict[str, Any]:
    image_of = annotations.image_of()
    visibility = annotations.visibility[rows]
    labelled = annotations.labelled()[rows]
    points = np.concatenate([annotations.keypoints[rows], visibility[..., None]], axis=2)
    columns = zip(
        annotations.image_ids[image_of[rows]].tolist(),
        _views(points),
        labelled.tolist(),
        annotations.boxes[rows].tolist(),
        annotations.areas[rows].tolist(),
        annotations.crowd[rows].astype(int).tolist(),
        strict=True,
    )
    names = ("image_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd")
    instances = [
        {"id": number, "category_id": CATEGORY["id"], **dict(zip(names, row, strict=True))}
        for number, row in enumerate(columns, start=1)
    ]
    return {
        "images": _images(annotations, images),
        "categories": [CATEGORY],
        "annotations": instances,
    }


def _images(annotations: Annotations, images: Mask) -> list[dict[str, Any]]:
    sizes = annotations.sizes[images].tolist()
    image_ids = annotations.image_ids[images].tolist()
    return [
        {"id": image_id, "file_name": "", "height": height, "width": width}
        for image_id, (height, width) in zip(image_ids, sizes, strict=True)
    ]


def _detections(
    predictions: Predictions, rows: Ints, ground_truth: dict[str, Any]
) -> dict[str, Any]:
    """Poses as COCO annotations; the third number of a keypoint is not used and always 1."""
    keypoints = predictions.keypoints[rows]
    points = np.empty((*keypoints.shape[:2], 3))
    points[..., 0], points[..., 1], points[..., 2] = keypoints[..., 0], keypoints[..., 1], 1.0
    boxes = predictions.boxes
    # As loadRes does; the area decides whether an unmatched pose counts in APM and APL.
    areas = extents(keypoints) if boxes is None else boxes[rows, 2] * boxes[rows, 3]
    columns = zip(
        range(1, len(rows) + 1),
        predictions.image_ids[rows].tolist(),
        _views(points),
        predictions.scores[rows].tolist(),
        areas.tolist(),
        strict=True,
    )
    poses = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": CATEGORY["id"],
            "keypoints": keypoints,
            "score": score,
            "area": area,
        }
        for number, image_id, keypoints, score, area in columns
    ]
    if boxes is not None:
        for pose, box in zip(poses, boxes[rows].tolist(), strict=True):
            pose["bbox"] = box
    return {**ground_truth, "annotations": poses}


def _views(points: Floats) -> list[memoryview]:
    """Each pose of (N, K, 3) as one flat view: both engines read it, and a list would be a million
    Python numbers."""
    if not points.size:
        return []
    width = 3 * points.shape[1]
    flat = np.ascontiguousarray(points).reshape(-1).data
    return [flat[start : start + width] for start in range(0, len(points) * width, width)]
