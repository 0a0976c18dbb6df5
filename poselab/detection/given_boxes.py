"""Detectors that read no pixels: ground-truth boxes, jittered ones, and those of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.formats.detections import read_detections
from poselab.data.boxes import labelled_instances
from poselab.detection.base import NO_BOXES, DetectedBoxes
from poselab.detection.box_jitter import drop_random_rows, jitter_boxes
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations import Annotations
    from poselab.detection.base import DetectorInput
    from poselab.structures import Floats, Ints


class GivenBoxes:
    """Boxes that are known beforehand, by image id."""

    def __init__(self, image_ids: Ints, boxes: Floats, scores: Floats) -> None:
        order = np.argsort(image_ids, kind="stable")
        ids, starts = np.unique(image_ids[order], return_index=True)
        rows = np.split(order, starts[1:])
        self._by_image = {
            i: DetectedBoxes(boxes[r], scores[r])
            for i, r in zip(ids.tolist(), rows, strict=True)
            if len(r)
        }

    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The given boxes of each image."""
        return [self._by_image.get(image.image_id, NO_BOXES) for image in images]


def from_file(*, table: Annotations, device: str, file: str) -> GivenBoxes:
    """The boxes of a detections file.

    Raises:
        InputError: it is broken, or none of its boxes lies in one of the images.
    """
    del device
    detections = read_detections(Path(file))
    if not np.isin(detections.image_ids, table.image_ids).any():
        raise InputError(
            f"expected boxes for these images in {file}, found none among "
            f"{len(detections.scores)}; do its image ids belong to other images?"
        )
    return GivenBoxes(*detections)


def ground_truth(*, table: Annotations, device: str) -> GivenBoxes:
    """The annotated box of every person with a labelled keypoint.

    Raises:
        InputError: no person is labelled.
    """
    del device
    _check_labelled(table)
    instances = labelled_instances(table)
    return GivenBoxes(table.image_ids[instances.image], instances.boxes, instances.scores)


def jittered(
    *, table: Annotations, device: str, iou: float = 0.7, miss: float = 0.0, seed: int = 0
) -> GivenBoxes:
    """The annotated boxes, each moved and resized until its IoU with the annotated one is ``iou``,
    without a random share ``miss`` of them; the same for the same seed.

    Raises:
        InputError: no person is labelled, ``iou`` not in (0, 1], or ``miss`` not in [0, 1).
    """
    del device
    _check_labelled(table)
    instances, rng = labelled_instances(table), np.random.default_rng(seed)
    kept = drop_random_rows(len(instances.scores), miss, rng)
    boxes = jitter_boxes(instances.boxes, iou, rng)[kept]
    return GivenBoxes(table.image_ids[instances.image[kept]], boxes, instances.scores[kept])


def _check_labelled(table: Annotations) -> None:
    if not table.num_instances:
        raise InputError(
            "expected annotated people to take boxes from, found none; give --annotations"
        )
