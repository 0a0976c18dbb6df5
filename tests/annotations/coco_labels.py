"""Builders of small COCO files, and where their layout keeps images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from poselab.skeletons import COCO17


def person(number: int, image_id: int, **changes: Any) -> dict[str, Any]:
    """A person whose every value depends on ``number``."""
    draw = np.random.default_rng(number)
    keypoints = draw.uniform(1, 90, (17, 3)).round(2)
    keypoints[:, 2] = draw.integers(0, 3, 17)
    keypoints[0, 2] = 2
    keypoints[keypoints[:, 2] == 0] = 0
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "keypoints": keypoints.ravel().tolist(),
        "bbox": draw.uniform(1, 40, 4).round(2).tolist(),
        "area": round(draw.uniform(10, 900), 3),
        "segmentation": [[10.25, 10.5, 60.75, 10.0, 60.0, 70.11]],
    } | changes


def coco(instances: list[dict[str, Any]], images: int = 3) -> dict[str, Any]:
    """A COCO file of that many 100 × 120 images with ids 10, 20, ..."""
    return {
        "images": [
            {"id": 10 * n, "file_name": f"{n:03d}.jpg", "height": 100, "width": 120}
            for n in range(1, images + 1)
        ],
        "annotations": instances,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}],
    }


def images(root: Path, split: str) -> list[Path]:
    """The image files of a split in the official layout, by name."""
    return sorted((root / f"{split}2017").iterdir())
