"""Detectors that need not look: labels, labels made worse on purpose, and what others found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.formats.detections import read_detections
from poselab.data.boxes import labelled_instances, moved_to_iou, spared
from poselab.detection.base import NOBODY, Found
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations import Annotations
    from poselab.detection.base import Shown
    from poselab.structures import Floats, Ints


class KnownPeople:
    """Boxes that are known beforehand, by image id; an image that nothing is known of is empty."""

    def __init__(self, image_ids: Ints, boxes: Floats, scores: Floats) -> None:
        order = np.argsort(image_ids, kind="stable")
        ids, starts = np.unique(image_ids[order], return_index=True)
        rows = np.split(order, starts[1:])
        self._of = {
            i: Found(boxes[r], scores[r]) for i, r in zip(ids.tolist(), rows, strict=True) if len(r)
        }

    def __call__(self, images: Sequence[Shown]) -> list[Found]:
        """What is known of each image."""
        return [self._of.get(image.image_id, NOBODY) for image in images]


def from_file(*, table: Annotations, device: str, file: str) -> KnownPeople:
    """The boxes of a detections file.

    Raises:
        InputError: it is broken, or none of its boxes lies in one of the images.
    """
    del device
    found = read_detections(Path(file))
    if not np.isin(found.image_ids, table.image_ids).any():
        raise InputError(
            f"expected boxes for these images in {file}, found none among {len(found.scores)}; "
            "do its image ids belong to other images?"
        )
    return KnownPeople(*found)


def ground_truth(*, table: Annotations, device: str) -> KnownPeople:
    """Everybody with a labelled keypoint, in his annotated box.

    Raises:
        InputError: nobody is labelled.
    """
    del device
    instances = labelled_instances(_labelled(table))
    return KnownPeople(table.image_ids[instances.image], instances.boxes, instances.scores)


def jittered(
    *, table: Annotations, device: str, iou: float = 0.7, miss: float = 0.0, seed: int = 0
) -> KnownPeople:
    """The annotated boxes, all moved and resized to overlap the true one by ``iou``, without a
    share ``miss`` of them; the same for the same seed.

    Raises:
        InputError: nobody is labelled, ``iou`` not in (0, 1], or ``miss`` not in [0, 1).
    """
    del device
    instances, rng = labelled_instances(_labelled(table)), np.random.default_rng(seed)
    kept = spared(len(instances.scores), miss, rng)
    boxes = moved_to_iou(instances.boxes, iou, rng)[kept]
    return KnownPeople(table.image_ids[instances.image[kept]], boxes, instances.scores[kept])


def _labelled(table: Annotations) -> Annotations:
    if not table.instances:
        raise InputError(
            "expected labelled people to take true boxes from, found none; give --annotations"
        )
    return table
