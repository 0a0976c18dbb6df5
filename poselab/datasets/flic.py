"""Frames Labeled In Cinema (Sapp and Taskar 2013); opened and checked, not yet trained on."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import SplitFiles

TITLE = "FLIC"
_PAGE = "https://bensapp.github.io/flic-dataset.html"


def files(root: str | Path) -> tuple[SplitFiles, ...]:
    """ROOT/examples.mat, or another .mat of that content, and ROOT/images/*.jpg."""
    folder = Path(root)
    whole = SplitFiles(
        name=TITLE,
        annotations=(folder / "examples.mat", *sorted(folder.glob("*.mat"))),
        images=folder / "images",
        annotations_url=_PAGE,
        images_url=_PAGE,
        layout="flic",
        by_content=True,
        present_only=True,
    )
    return (whole,)
