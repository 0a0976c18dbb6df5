"""A contact sheet of images with the poses predicted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from poselab.io.files import replacing
from poselab.io.images import read_image
from poselab.report.draw import contact_sheet, draw_poses, fit_into

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.datasets.base import Split
    from poselab.evaluation.predictions import Predictions

KEYPOINT_THRESHOLD = 0.2
"""Keypoints that score above this are drawn."""


def write_pose_sheet(
    split: Split, predictions: Predictions, file: Path, count: int = 12, side: int = 256
) -> None:
    """Write ``count`` images, evenly spread over the split, each fitted into a square cell.

    Raises:
        InputError: an image is missing or broken, or the folder is not writable.
    """
    table = split.annotations
    cells = []
    for row in np.linspace(0, len(table) - 1, min(count, len(table))).astype(int):
        poses = predictions.take(np.flatnonzero(predictions.image_ids == table.image_ids[row]))
        image = read_image(split.image_path(row), table.image_size(row))
        visible = poses.keypoint_scores > KEYPOINT_THRESHOLD
        drawn = draw_poses(image, poses.keypoints, visible, table.skeleton)
        cells.append(fit_into(drawn, (side, side)))
    with replacing(file) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4)[:, :, ::-1])
