"""The engines that match poses with people by OKS, and the layout in which they take both."""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.source import collector_paused
from poselab.evaluation.predictions import extents
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

MODULES = {"hotcoco": "hotcoco", "pycocotools": "pycocotools.cocoeval"}
AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's area ranges in pixels²."""

CATEGORY = {"id": 1, "name": "person"}


class Problem(NamedTuple):
    """Poses and people ready to be matched.

    rows (D,) are the rows of the given predictions that take part, people (G,) the person rows;
    chosen (N,) the images; truth and found are COCO datasets of them, numbered from 1 in this
    order, because pycocotools takes a match with annotation 0 for no match.
    """

    rows: Ints
    instances: Ints
    chosen: Mask
    ground_truth: dict[str, Any]
    found: dict[str, Any]
    counted: int


def problem(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: Sequence[int] | Ints | None,
    max_detections: int,
) -> Problem:
    """The ``max_detections`` best poses of each image, and all people, of the chosen images.

    Raises:
        InputError: an image id is not annotated.
    """
    chosen = images_to_score(annotations, image_ids)
    return problem_of(predictions, annotations, chosen, max_detections)


def problem_of(
    predictions: Predictions, annotations: Annotations, chosen: Mask, max_detections: int
) -> Problem:
    """The same of the images of a mask (N,)."""
    with collector_paused():
        inside = np.isin(predictions.image_ids, annotations.image_ids[chosen])
        rows = _best(predictions, np.flatnonzero(inside), max_detections)
        instances = np.flatnonzero(chosen[annotations.image_of()])
        ground_truth = _truth(annotations, chosen, instances)
        counted = (annotations.labelled()[instances] > 0) & ~annotations.crowd[instances]
        found = _found(predictions, rows, ground_truth)
        return Problem(rows, instances, chosen, ground_truth, found, int(counted.sum()))


def matched(
    engine: str,
    asked: Problem,
    sigmas: Sequence[float],
    max_detections: int,
    areas: Sequence[str] = tuple(AREAS),
) -> Any:
    """The engine's evaluation after it matched; pycocotools chats on stdout, hence the sink."""
    module = importlib.import_module(MODULES[engine])
    with contextlib.redirect_stdout(io.StringIO()), collector_paused():
        evaluation = module.COCOeval(
            _index(engine, asked.ground_truth), _index(engine, asked.found), iouType="keypoints"
        )
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.params.maxDets = [max_detections]
        evaluation.params.areaRng = [list(AREAS[name]) for name in areas]
        evaluation.params.areaRngLbl = list(areas)
        evaluation.evaluate()
    return evaluation


def _index(engine: str, dataset: dict[str, Any]) -> Any:
    """The engine's COCO object over a dataset that no file holds."""
    home = "hotcoco" if engine == "hotcoco" else "pycocotools.coco"
    coco = importlib.import_module(home).COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def images_to_score(
    annotations: Annotations, image_ids: Sequence[int] | Ints | None = None
) -> Mask:
    """Mask (N,) of the images to score: those asked for, or with people held out for testing.

    Raises:
        InputError: an image id is not annotated.
    """
    if image_ids is None:
        held_out = annotations.held_out
        if held_out is None or not held_out.any():
            return np.ones(len(annotations), dtype=bool)
        return np.bincount(annotations.image_of()[held_out], minlength=len(annotations)) > 0
    unknown = np.setdiff1d(np.asarray(image_ids), annotations.image_ids)
    if len(unknown):
        raise InputError(
            f"expected image ids of {annotations.source}, got {len(unknown)} others such as "
            f"{unknown[0]}"
        )
    return np.isin(annotations.image_ids, np.asarray(image_ids))


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


def _truth(annotations: Annotations, chosen: Mask, rows: Ints) -> dict[str, Any]:
    """Annotations in COCO's layout."""
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
    images = _images(annotations, chosen)
    return {"images": images, "categories": [CATEGORY], "annotations": instances}


def _images(annotations: Annotations, chosen: Mask) -> list[dict[str, Any]]:
    sizes = annotations.sizes[chosen].tolist()
    image_ids = annotations.image_ids[chosen].tolist()
    return [
        {"id": image_id, "file_name": "", "height": height, "width": width}
        for image_id, (height, width) in zip(image_ids, sizes, strict=True)
    ]


def _found(predictions: Predictions, rows: Ints, ground_truth: dict[str, Any]) -> dict[str, Any]:
    """Some predictions in COCO's layout; a keypoint's third number plays no part and is left 1."""
    keypoints = predictions.keypoints[rows]
    points = np.empty((*keypoints.shape[:2], 3))
    points[..., 0], points[..., 1], points[..., 2] = keypoints[..., 0], keypoints[..., 1], 1.0
    boxes = predictions.boxes
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
    """Each pose of (N, K, 3) as one flat view, which both engines read without a million Python
    numbers in between."""
    if not points.size:
        return []
    width = 3 * points.shape[1]
    flat = np.ascontiguousarray(points).reshape(-1).data
    return [flat[start : start + width] for start in range(0, len(points) * width, width)]
