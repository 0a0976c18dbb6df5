"""Leeds Sports Pose and its extended set (Johnson and Everingham 2010, 2011), with 14 joints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from poselab.datasets.base import DatasetFiles, SplitFiles

TITLE = "LSP"
_PAGE = "http://sam.johnson.io/research/lspet.html (or lsp.html)"


def files(root: str | Path, held_out: int = 500) -> DatasetFiles:
    """ROOT/joints.mat and ROOT/images/*.jpg; the last ``held_out`` existing images validate.

    Many copies of the dataset hold only the images with all joints labelled, and the joints of all.
    """
    folder = Path(root)
    whole = SplitFiles(
        name=TITLE,
        annotations=(folder / "joints.mat", *sorted(folder.glob("*.mat"))),
        images=folder / "images",
        annotations_url=_PAGE,
        images_url=_PAGE,
        layout="lsp",
        by_content=True,
        present_only=True,
    )
    return DatasetFiles(replace(whole, last=-held_out), replace(whole, first=-held_out))
