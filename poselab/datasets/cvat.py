"""Exports of CVAT in its format COCO Keypoints: the subsets of a project, with their images."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import DatasetFiles, SplitFiles

TITLE = "CVAT"
_SITE = "https://app.cvat.ai (export as COCO Keypoints, with images)"


def files(root: str | Path, train: str = "Train", val: str = "Validation") -> DatasetFiles:
    """ROOT/annotations/person_keypoints_SUBSET.json and ROOT/images/SUBSET/, or ROOT/images/."""
    return DatasetFiles(_split(Path(root), train), _split(Path(root), val))


def _split(root: Path, subset: str) -> SplitFiles:
    file = root / "annotations" / f"person_keypoints_{subset}.json"
    images = root / "images" / subset
    # Images lie in one folder in exports of a task without subsets, and in older ones.
    together = file.is_file() and not images.is_dir()
    return SplitFiles(
        name=f"{TITLE} {subset}",
        annotations=(file,),
        images=images.parent if together else images,
        annotations_url=_SITE,
        images_url=_SITE,
        layout="coco",
    )
