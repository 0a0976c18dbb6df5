"""The training and the evaluation set that are searched for shared images."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.annotations import Annotations


class ImageSet(NamedTuple):
    """Its name (training or evaluation), annotations and folder of images (None: unknown)."""

    name: str
    table: Annotations
    folder: Path | None


class Opening(NamedTuple):
    """How annotations are opened: as which layout, of which category (None: all that share their
    keypoints), and whether they may name files outside of the folder of images."""

    layout: str = "auto"
    category: str | None = None
    outside_images: bool = False


_AS_RECOGNISED = Opening()


def open_image_sets(
    train: Path, val: Path | None, folders: Sequence[Path] = (), how: Opening = _AS_RECOGNISED
) -> tuple[ImageSet, ImageSet]:
    """The training and the evaluation set.

    ``train`` and ``val`` are annotation files, or folders of datasets, of which the training and
    the validation split are taken; without ``val`` both are of ``train``. ``folders`` of images:
    one for both sets or one for each; without, those beside the annotations.

    Raises:
        InputError: a path does not exist, is no dataset, or ``val`` is missing.
    """
    if len(folders) > 2:
        raise InputError(f"expected one or two folders of images, got {len(folders)}")
    if val is None and not train.is_dir():
        raise InputError(
            f"expected VAL beside the annotation file {train}, got none; give both, or "
            "one folder that holds both splits"
        )
    first, last = (folders[0], folders[-1]) if folders else (None, None)
    return (
        _open(("training", 0), train, first, how),
        _open(("evaluation", 1), val or train, last, how),
    )


def _open(split: tuple[str, int], place: Path, folder: Path | None, how: Opening) -> ImageSet:
    """One set by its annotation file, or by the folder that holds it as its nth split."""
    from poselab.annotations import open_annotations

    name, number = split
    if folder is not None and not folder.is_dir():
        raise InputError(f"expected a folder of images at {folder}, found none; check the path")
    if place.is_dir():
        place, beside = _split_files(place, number)
    else:
        beside = _images_beside(place)
    table = open_annotations(place, how.layout, category=how.category)
    table = replace(table, outside_images=how.outside_images)
    folder = folder or (beside if beside.is_dir() else None)
    if folder is None:
        print(f"warning: no images of {place} at {beside}; give --images", file=sys.stderr)
    return ImageSet(name, table, folder)


def _split_files(root: Path, number: int) -> tuple[Path, Path]:
    """The annotation file and the image folder of a split of a dataset's folder."""
    from poselab.datasets.recognise import all_datasets, dataset_in

    name = dataset_in(root)
    # Splits of one file differ by image rows; opening the file here gives the rows of both.
    splits = [s for s in (all_datasets()[name].files(root) if name else ()) if not s.by_content]
    split = splits[number] if splits else None
    file = split.checked_file() if split else None
    if split is None or file is None:
        wanted = split.name if split else "a training and a validation split"
        raise InputError(
            f"expected annotations of {wanted} under {root}, found none; see `poselab data check`, "
            "or give an annotation file"
        )
    return file, split.images


def _images_beside(file: Path) -> Path:
    """Where the images of an annotation file lie in the official layouts."""
    split = file.name.partition(".")[0].rpartition("_")[2]
    places = [file.parent.parent / split, file.parent.parent / "images", file.parent / "images"]
    return next((place for place in places if place.is_dir()), places[0])
