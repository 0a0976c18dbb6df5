"""A small table of annotations, made without any file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.structures import Skeleton


@pytest.fixture
def make_table() -> Callable[..., Annotations]:
    """People (M, K, 3) x y visibility, one an image unless ``images`` (M,) says otherwise."""

    def make(instances: Any, skeleton: Skeleton = COCO17, **columns: Any) -> Annotations:
        points = np.asarray(instances, dtype=float).reshape(len(instances), len(skeleton), 3)
        of_person = np.asarray(columns.pop("images", np.arange(len(points))))
        image_ids = np.unique(np.concatenate([of_person, columns.pop("empty", [])])).astype(int)
        first = np.searchsorted(of_person, np.append(image_ids, image_ids.max(initial=0) + 1))
        defaults = {
            "annotation_ids": np.arange(len(points)) + 10,
            "boxes": np.tile([0.0, 0.0, 100.0, 100.0], (len(points), 1)),
            "areas": np.full(len(points), 10_000.0),
            "crowd": np.zeros(len(points), dtype=bool),
            "head_boxes": np.zeros((len(points), 4)),
        }
        return Annotations(
            skeleton=skeleton,
            source="ground_truth.json",
            fingerprint="0",
            image_ids=image_ids,
            sizes=np.full((len(image_ids), 2), 500, dtype=np.int32),
            file_names=np.array([b""] * len(image_ids)),
            first_person=first,
            keypoints=points[..., :2] * (points[..., 2:] > 0),
            visibility=points[..., 2].astype(np.uint8),
            mask_rows=np.empty(0, dtype=np.int64),
            mask_ends=np.empty(0, dtype=np.int64),
            mask_bytes=np.empty(0, dtype=np.uint8),
            **(defaults | {name: np.asarray(values) for name, values in columns.items()}),
        )

    return make


@pytest.fixture
def predict() -> Callable[..., Predictions]:
    """Poses of every person of a table, ``offset`` pixels away."""

    def make(table: Annotations, offset: Any = 0.0) -> Predictions:
        return Predictions(
            table.image_ids[table.image_of()],
            np.array(table.annotation_ids),
            table.keypoints + np.asarray(offset),
            np.ones(table.visibility.shape),
            np.ones(table.num_instances),
        )

    return make
