"""From a detector and images to a detections file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision.ops import nms

from poselab.annotations.formats.detections import PERSON, Detections
from poselab.detection.base import Found, Shown
from poselab.io.files import write_bytes
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from poselab.data import Split
    from poselab.detection.base import Detector

    Watch = Callable[[Sequence[int]], Iterable[int]]


@dataclass(frozen=True)
class BoxRules:
    """Which boxes stay: scores of at least ``threshold``, no better box with IoU above ``nms`` in
    the same image (None: whatever overlaps), and of these the best ``most`` of an image.

    Raises:
        InputError: a limit outside of 0 to 1, or fewer than one box an image.
    """

    threshold: float = 0.05
    nms: float | None = 0.65
    most: int = 100

    def __post_init__(self) -> None:
        limits = (self.threshold, 1.0 if self.nms is None else self.nms)
        if not all(0 <= limit <= 1 for limit in limits) or self.most < 1:
            raise InputError(
                "expected a score threshold and an IoU from 0 to 1 and at least one box an image, "
                f"got {self.threshold}, {self.nms} and {self.most}; correct them"
            )

    def kept(self, found: Found) -> Found:
        """The boxes that stay, best first; boxes without an extent never do."""
        good = (found.scores >= self.threshold) & (found.boxes[:, 2:] > 0).all(axis=1)
        boxes, scores = found.boxes[good], found.scores[good]
        order = np.argsort(-scores, kind="stable")
        boxes, scores = boxes[order], scores[order]
        if self.nms is not None:
            corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
            # Ranks rather than scores: those of equal score keep their order.
            ranks = torch.arange(len(scores), 0, -1, dtype=torch.float64)
            rows = nms(torch.from_numpy(corners), ranks, self.nms).numpy()
            boxes, scores = boxes[rows], scores[rows]
        return Found(boxes[: self.most], scores[: self.most])


def _unwatched(starts: Sequence[int]) -> Iterable[int]:
    return starts


def find_people(
    detector: Detector,
    split: Split,
    rules: BoxRules,
    batch_size: int = 8,
    watch: Watch = _unwatched,
) -> Detections:
    """The boxes of people in all images of a split, by image, best first.

    ``watch`` wraps the starts of the batches, as a progress bar does.

    Raises:
        InputError: an image is missing or broken.
    """
    table = split.annotations
    names = [split.images / table.file_name(row) for row in range(len(table))]
    images = list(zip(table.image_ids.tolist(), names, strict=True))
    found: list[Found] = []
    for start in watch(range(0, len(images), batch_size)):
        # Made anew for every batch, so that pixels are not kept longer.
        shown = [Shown(*image) for image in images[start : start + batch_size]]
        found += [rules.kept(instances) for instances in detector(shown)]
    return Detections(
        image_ids=np.repeat(table.image_ids, [len(instances.scores) for instances in found]),
        boxes=np.concatenate([instances.boxes for instances in found]),
        scores=np.concatenate([instances.scores for instances in found]),
    )


def write_detections(path: Path, found: Detections) -> None:
    """A detections file in COCO's layout; hundredths of pixels, scores to six decimals.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    import orjson

    columns = zip(
        found.image_ids.tolist(),
        found.boxes.round(2).tolist(),
        found.scores.round(6).tolist(),
        strict=True,
    )
    entries = [
        {"image_id": image_id, "category_id": PERSON, "bbox": box, "score": score}
        for image_id, box, score in columns
    ]
    write_bytes(path, orjson.dumps(entries, option=orjson.OPT_APPEND_NEWLINE))
