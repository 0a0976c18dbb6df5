"""Image files and folders as a split of a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.datasets.base import SplitFiles
from poselab.datasets.image_folder import find_images, unannotated_split
from poselab.skeletons import COCO17
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.datasets.base import Split
    from poselab.structures import Skeleton


def image_split(inputs: Sequence[Path], skeleton: Skeleton = COCO17) -> Split:
    """The images named, and those in the folders named, without annotations.

    Raises:
        InputError: something named does not exist, or is not an image.
    """
    images = [path.resolve() for path in find_images(inputs)]
    return unannotated_split(images, common_folder(images), skeleton)


def annotated_split(
    inputs: Sequence[Path],
    annotations: Path,
    category: str | None = None,
    outside_images: bool = False,
) -> Split:
    """The images of one folder with their annotations; images without a file are left out.

    ``category`` is the only one to open; ``outside_images``: the annotations may name files outside
    of the folder.

    Raises:
        InputError: several folders, a missing file, or annotations of other images.
    """
    if len(inputs) != 1:
        raise InputError(
            f"expected one folder of images with --annotations, got {len(inputs)} sources; give "
            "the folder that the annotations' file names start from"
        )
    files = SplitFiles("", (annotations,), inputs[0], present_only=True)
    return files.open(category, outside_images)


def common_folder(images: Sequence[Path]) -> Path:
    """The deepest folder that holds all the images."""
    return Path(os.path.commonpath([str(path.parent) for path in images]))


def image_files(split: Split) -> list[Path]:
    """The files of a split's images, in the order of its table."""
    return [split.image_path(row) for row in range(len(split.annotations))]
