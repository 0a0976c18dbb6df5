"""Exports of Roboflow in its format COCO: each split a folder of images and their annotations."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import DatasetFiles, SplitFiles

TITLE = "Roboflow"
_SITE = "https://universe.roboflow.com (export as COCO)"


def files(root: str | Path, train: str = "train", val: str = "valid") -> DatasetFiles:
    """ROOT/SPLIT/_annotations.coco.json and ROOT/SPLIT/*.jpg."""
    return DatasetFiles(_split(Path(root), train), _split(Path(root), val))


def _split(root: Path, split: str) -> SplitFiles:
    return SplitFiles(
        name=f"{TITLE} {split}",
        annotations=(root / split / "_annotations.coco.json",),
        images=root / split,
        annotations_url=_SITE,
        images_url=_SITE,
        layout="coco",
    )
