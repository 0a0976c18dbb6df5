"""The two sets that `data leaks` looks at: labels, and the folders of their images."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from poselab.annotations import Annotations


class Side(NamedTuple):
    """One set: its labels, the folder of its images (None: not at hand), what to call it."""

    name: str
    table: Annotations
    folder: Path | None


def sides(arguments: argparse.Namespace) -> tuple[Side, Side]:
    """The training and the evaluation set.

    Raises:
        InputError: a place is not there, is no data set, or VAL is missing.
    """
    folders = list(arguments.images or [None])
    if len(folders) > 2:
        raise InputError(f"expected one or two folders of images, got {len(folders)}")
    if arguments.val is None and not arguments.train.is_dir():
        raise InputError(
            f"expected VAL beside the annotation file {arguments.train}, got none; give both, or "
            "one folder that holds both splits"
        )
    places = arguments.train, arguments.val or arguments.train
    first, second = (
        _side(place, part, folder, arguments.layout)
        for part, (place, folder) in enumerate(zip(places, (folders[0], folders[-1]), strict=True))
    )
    return first, second


def _side(place: Path, part: int, folder: Path | None, layout: str) -> Side:
    """One set by its annotation file, or by the folder that holds it as a split."""
    from poselab.annotations import open_annotations

    name = ("training", "evaluation")[part]
    if folder is not None and not folder.is_dir():
        raise InputError(f"expected a folder of images at {folder}, found none; check the path")
    if place.is_dir():
        place, beside = _split(place, part)
    else:
        beside = _images_beside(place)
    table = open_annotations(place, layout)
    folder = folder or (beside if beside.is_dir() else None)
    if folder is None:
        print(f"warning: no images of {place} at {beside}; give --images", file=sys.stderr)
    return Side(name, table, folder)


def _split(root: Path, part: int) -> tuple[Path, Path]:
    """The annotation file and the image folder of a split of a data set's folder."""
    from poselab.datasets.layouts import LAYOUTS, layout_of

    layout = layout_of(root)
    chosen = LAYOUTS[layout][part] if layout else None
    file = chosen.found(root) if chosen else None
    if chosen is None or file is None:
        raise InputError(
            f"expected {chosen.name if chosen else 'COCO or MPII'} annotations under {root}, found "
            "none; see `poselab data check`, or give an annotation file"
        )
    return file, root / chosen.images


def _images_beside(file: Path) -> Path:
    """Where the images of an annotation file lie in the official layouts."""
    split = file.name.partition(".")[0].rpartition("_")[2]
    places = [file.parent.parent / split, file.parent.parent / "images", file.parent / "images"]
    return next((place for place in places if place.is_dir()), places[0])
