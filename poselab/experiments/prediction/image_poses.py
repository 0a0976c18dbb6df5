"""The poses predicted in a set of images: arrays, a table, drawings and files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from poselab.datasets.image_folder import DRAWINGS, LIST, PREDICTIONS
from poselab.detection.detect import write_detections
from poselab.evaluation.comparability import write_comparability
from poselab.evaluation.predictions import write_predictions
from poselab.experiments.prediction.image_sources import image_files
from poselab.io.files import replacing, write_json
from poselab.io.images import read_image
from poselab.report.draw import draw_poses
from poselab.report.tables import table_text
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.annotations.formats.detections import Detections
    from poselab.datasets.base import Split
    from poselab.evaluation.predictions import Predictions
    from poselab.io.images import Image
    from poselab.report.tables import Row

THRESHOLD = 0.2
"""Poses and keypoints that score above this are drawn."""


@dataclass(frozen=True, eq=False)
class ImagePoses:
    """Poses of N images: ``poses[n]`` are those of the n-th, ``predictions`` those of all.

    ``comparability`` records how they were predicted; ``detections`` are the boxes of people, where
    a detector predicted them.
    """

    split: Split
    predictions: Predictions
    comparability: dict[str, Any]
    detections: Detections | None = None

    @property
    def images(self) -> list[Path]:
        """The image files (N)."""
        return image_files(self.split)

    def __len__(self) -> int:
        return len(self.split.annotations)

    def __getitem__(self, n: int) -> Predictions:
        image_id = self.split.annotations.image_ids[n]
        return self.predictions.take(np.flatnonzero(self.predictions.image_ids == image_id))

    def __iter__(self) -> Iterator[Predictions]:
        return (self[n] for n in range(len(self)))

    def __str__(self) -> str:
        rows: list[Row] = [
            {
                "image": image.name,
                "poses": str(len(poses)),
                "best score": f"{poses.scores.max():.2f}" if len(poses) else "–",
            }
            for image, poses in zip(self.images, self, strict=True)
        ]
        return table_text(rows)

    def draw(
        self, n: int, threshold: float = THRESHOLD, pose_threshold: float = THRESHOLD
    ) -> Image:
        """The n-th image (H, W, 3) RGB with the poses that score above ``pose_threshold``.

        Of these, the keypoints that score above ``threshold``.
        """
        poses = self[n]
        poses = poses.take(poses.scores > pose_threshold)
        visible = poses.keypoint_scores > threshold
        skeleton = self.split.annotations.skeleton
        return draw_poses(read_image(self.images[n]), poses.keypoints, visible, skeleton)

    def write(
        self, folder: Path | str, threshold: float = THRESHOLD, pose_threshold: float = THRESHOLD
    ) -> None:
        """Write predictions.json, its comparability record, images.json, boxes.json and drawings.

        Raises:
            InputError: a drawing would replace one of the images, or the folder is not writable.
        """
        folder = Path(folder)
        check_drawings_apart(self.split, folder)
        write_predictions(folder / PREDICTIONS, self.predictions)
        write_comparability(folder / PREDICTIONS, self.comparability)
        if self.detections is not None:
            write_detections(folder / "boxes.json", self.detections)
        ids = self.split.annotations.image_ids.tolist()
        files = [
            {"id": image_id, "file_name": str(image)}
            for image_id, image in zip(ids, self.images, strict=True)
        ]
        write_json(folder / LIST, files)
        for n in range(len(self)):
            name = self.split.annotations.file_name(n)
            with replacing(_drawing(folder, Path(name))) as temporary:
                drawn = self.draw(n, threshold, pose_threshold)
                cv2.imwrite(str(temporary), drawn[:, :, ::-1])


def check_drawings_apart(split: Split, folder: Path) -> None:
    """Drawings in ``folder`` must not replace the images of the split.

    Raises:
        InputError: one of them would.
    """
    images = image_files(split)
    drawings = [_drawing(folder, image.relative_to(split.images)).resolve() for image in images]
    replaced = [image for image, drawing in zip(images, drawings, strict=True) if drawing in images]
    if replaced:
        raise InputError(
            f"expected --out whose folder of drawings is not that of the images, got "
            f"{folder / DRAWINGS}, where {replaced[0].name} would be drawn over; choose another "
            "--out"
        )


def _drawing(folder: Path, image: Path) -> Path:
    """The file that an image of that name is drawn to, always a JPEG."""
    return folder / DRAWINGS / (image if image.suffix == ".jpg" else f"{image}.jpg")
