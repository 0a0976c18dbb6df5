"""Annotations of thirty images, and poses with known errors, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations import Annotations
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from poselab.structures import Skeleton

IMAGES = 30
FINE, COARSE = "fine & <b>dear</b> $a$", 'coarse </script><!--"'
INVERTED, MISSED, UNDETECTED, BACKGROUND, POOR = 103, 105, 108, 109, 111
"""Ids of the images in which the coarse method has an error, a different one in each."""


def table(skeleton: Skeleton, **columns: Any) -> Annotations:
    rng = np.random.default_rng(0)
    instances = 2 * IMAGES
    large = np.arange(instances) % 2
    side = np.where(large, 250.0, 80.0)[:, None]
    points = rng.uniform(0, 1, (instances, len(skeleton), 2)) * side[..., None]
    points += np.column_stack([20 + 300 * large, np.full(instances, 30)])[:, None]
    corners = points.min(axis=1)
    return Annotations(
        skeleton=skeleton,
        source="labels.json",
        fingerprint="0",
        image_ids=100 + np.arange(IMAGES),
        sizes=np.tile(np.array([480, 640], np.int32), (IMAGES, 1)),
        file_names=np.array([f"{n}.jpg".encode() for n in range(100, 100 + IMAGES)]),
        first_person=2 * np.arange(IMAGES + 1),
        annotation_ids=np.arange(instances) + 1,
        keypoints=points,
        visibility=np.full((instances, len(skeleton)), 2, np.uint8),
        boxes=np.concatenate([corners, points.max(axis=1) - corners], axis=1),
        areas=np.where(large, 40_000.0, 6_000.0),
        crowd=np.zeros(instances, dtype=bool),
        head_boxes=columns.get("head_boxes", np.zeros((instances, 4))),
        mask_rows=np.empty(0, dtype=np.int64),
        mask_ends=np.empty(0, dtype=np.int64),
        mask_bytes=np.empty(0, dtype=np.uint8),
    )


def poses(annotations: Annotations, keypoints: Any, kept: Any = slice(None)) -> Predictions:
    rows = np.arange(annotations.num_instances)[kept]
    scores = 0.5 + 0.4 * np.random.default_rng(1).random(len(rows))
    return Predictions(
        annotations.image_ids[annotations.image_of()][rows],
        annotations.annotation_ids[rows],
        keypoints[rows],
        np.ones((len(rows), keypoints.shape[1])),
        scores,
    )


def coarse(annotations: Annotations) -> Predictions:
    """Exact except for the first person (the medium one) of the images named above."""
    points = annotations.keypoints.copy()
    first = {name: 2 * (name - 100) for name in (INVERTED, MISSED, UNDETECTED, BACKGROUND, POOR)}
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    points[first[INVERTED], [left, right]] = points[first[INVERTED], [right, left]]
    points[first[MISSED], left] += [0, 400]
    points[first[POOR]] += 13
    kept = np.delete(np.arange(annotations.num_instances), first[UNDETECTED])
    predictions = poses(annotations, points, kept)
    stray = annotations.keypoints[first[BACKGROUND]] + [200, 330]
    return Predictions(
        np.append(predictions.image_ids, BACKGROUND),
        np.append(predictions.annotation_ids, -1),
        np.concatenate([predictions.keypoints, stray[None]]),
        np.ones((len(predictions) + 1, 17)),
        np.append(predictions.scores, 0.95),
    )
