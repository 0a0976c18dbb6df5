"""MPII Human Pose (Andriluka et al. 2014) with the community's split, 16 joints per person."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import DatasetFiles, SplitFiles

TITLE = "MPII"
_SITE = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr"
_OFFICIAL = ("mpii_human_pose_v1_u12_1.mat", "mpii_human_pose_v1_u12_2.mat")


def files(root: str | Path, train: str = "train.json", val: str = "valid.json") -> DatasetFiles:
    """ROOT/annotations/{train,valid}.json (or the hourglass code's .h5) and ROOT/images/*.jpg."""
    return DatasetFiles(_split(Path(root), train), _split(Path(root), val))


def _split(root: Path, file: str) -> SplitFiles:
    folders = [root / name for name in ("annotations", "annot", ".")]
    stem = Path(file).stem
    return SplitFiles(
        name=f"MPII {stem}",
        annotations=tuple(folder / name for folder in folders for name in (file, f"{stem}.h5")),
        images=root / "images",
        annotations_url=f"{_SITE}/mpii_human_pose_v1_u12_2.zip (or {file} of the SimpleBaseline "
        "and HRNet code)",
        images_url=f"{_SITE}/mpii_human_pose_v1.tar.gz",
        unsplit=tuple(folder / name for folder in folders for name in _OFFICIAL),
    )
