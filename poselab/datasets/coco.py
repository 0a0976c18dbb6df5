"""COCO 2017 keypoints (Lin et al. 2014), with 17 keypoints per person."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import DatasetFiles, SplitFiles

TITLE = "COCO"
_SITE = "http://images.cocodataset.org"
_ANNOTATIONS_URL = (
    f"{_SITE}/annotations/annotations_trainval2017.zip (md5 f4bbac642086de4f52a3fdda2de5fa2c)"
)
_MD5 = {
    "train2017": "cced6f7f71b7629ddf16f17bbcfab6b2",
    "val2017": "442b8da7639aecaf257c1dceb8ba8c80",
}


def files(root: str | Path, train: str = "train2017", val: str = "val2017") -> DatasetFiles:
    """ROOT/annotations/person_keypoints_SPLIT.json and ROOT/SPLIT/*.jpg."""
    return DatasetFiles(_split(Path(root), train), _split(Path(root), val))


def _split(root: Path, split: str) -> SplitFiles:
    file = root / "annotations" / f"person_keypoints_{split}.json"
    md5 = f" (md5 {_MD5[split]})" if split in _MD5 else ""
    return SplitFiles(
        name=f"COCO {split}",
        annotations=(file, file.with_suffix(".json.gz")),
        images=root / split,
        annotations_url=_ANNOTATIONS_URL,
        images_url=f"{_SITE}/zips/{split}.zip{md5}",
        layout="coco",
    )
