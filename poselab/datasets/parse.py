"""Image Parse (Ramanan 2006); opened and checked, not yet trained on."""

from __future__ import annotations

from pathlib import Path

from poselab.datasets.base import SplitFiles

TITLE = "PARSE"
_PAGE = "https://www.ics.uci.edu/~dramanan/papers/parse/index.html"


def files(root: str | Path) -> tuple[SplitFiles, ...]:
    """ROOT/labels.mat, or another .mat of that content, and ROOT/images/*.jpg."""
    folder = Path(root)
    whole = SplitFiles(
        name=TITLE,
        annotations=(folder / "labels.mat", *sorted(folder.glob("*.mat"))),
        images=folder / "images",
        annotations_url=_PAGE,
        images_url=_PAGE,
        layout="parse",
        by_content=True,
        present_only=True,
    )
    return (whole,)
