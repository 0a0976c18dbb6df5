"""Run a detector on the images of a split, and write its boxes as a detections file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchvision.ops import nms

from poselab.annotations.formats.detections import PERSON, Detections
from poselab.detection.base import DetectedBoxes, DetectorInput
from poselab.io.files import write_bytes
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from poselab.datasets.base import Split
    from poselab.detection.base import Detector

    Track = Callable[[Sequence[int]], Iterable[int]]


@dataclass(frozen=True)
class BoxFilter:
    """Which boxes to keep: those of score ``threshold`` or more, after NMS at an IoU above ``nms``
    (None: no NMS), and at most the best ``max_boxes`` of an image.

    Raises:
        InputError: a threshold outside of 0 to 1, or fewer than one box per image.
    """

    threshold: float = 0.05
    nms: float | None = 0.65
    max_boxes: int = 100

    def __post_init__(self) -> None:
        thresholds = (self.threshold, 1.0 if self.nms is None else self.nms)
        if not all(0 <= threshold <= 1 for threshold in thresholds) or self.max_boxes < 1:
            raise InputError(
                "expected a score threshold and an IoU from 0 to 1 and at least one box per image, "
                f"got {self.threshold}, {self.nms} and {self.max_boxes}; correct them"
            )

    def __call__(self, detected: DetectedBoxes) -> DetectedBoxes:
        """The boxes to keep, best first; boxes of no area are never kept."""
        good = (detected.scores >= self.threshold) & (detected.boxes[:, 2:] > 0).all(axis=1)
        boxes, scores = detected.boxes[good], detected.scores[good]
        order = np.argsort(-scores, kind="stable")
        boxes, scores = boxes[order], scores[order]
        if self.nms is not None:
            corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
            # Ranks instead of scores, so that boxes of equal score keep their order.
            ranks = torch.arange(len(scores), 0, -1, dtype=torch.float64)
            rows = nms(torch.from_numpy(corners), ranks, self.nms).numpy()
            boxes, scores = boxes[rows], scores[rows]
        return DetectedBoxes(boxes[: self.max_boxes], scores[: self.max_boxes])


def run_detector(
    detector: Detector,
    split: Split,
    box_filter: BoxFilter,
    batch_size: int = 8,
    track: Track = iter,
) -> Detections:
    """The boxes of people in all images of a split, in the order of images, best first.

    ``track`` wraps the start of each batch, as a progress bar does.

    Raises:
        InputError: an image is missing or broken.
    """
    table = split.annotations
    images = [
        (image_id, split.image_path(row), table.image_size(row))
        for row, image_id in enumerate(table.image_ids.tolist())
    ]
    detected: list[DetectedBoxes] = []
    for start in track(range(0, len(images), batch_size)):
        # Inputs cache their pixels, so each batch makes its own.
        batch = [DetectorInput(*image) for image in images[start : start + batch_size]]
        detected += [box_filter(boxes) for boxes in detector(batch)]
    return Detections(
        image_ids=np.repeat(table.image_ids, [len(boxes.scores) for boxes in detected]),
        boxes=np.concatenate([boxes.boxes for boxes in detected]),
        scores=np.concatenate([boxes.scores for boxes in detected]),
    )


def write_detections(path: Path, detections: Detections) -> None:
    """Write a detections file in COCO's layout: hundredths of pixels, scores to six decimals.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    import orjson

    columns = zip(
        detections.image_ids.tolist(),
        detections.boxes.round(2).tolist(),
        detections.scores.round(6).tolist(),
        strict=True,
    )
    entries = [
        {"image_id": image_id, "category_id": PERSON, "bbox": box, "score": score}
        for image_id, box, score in columns
    ]
    write_bytes(path, orjson.dumps(entries, option=orjson.OPT_APPEND_NEWLINE))
