"""Image files and folders without annotations, as a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.table import Annotations
from poselab.datasets.base import Split
from poselab.io.images import read_header
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.structures import Skeleton

PREDICTIONS, LIST, DRAWINGS = "predictions.json", "images.json", "images"
"""What ``poselab predict`` writes: poses, image ids with their files, and a folder of drawings."""

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """The image files among ``inputs`` and those in its folders, sorted by name, each once.

    Drawings that ``poselab predict`` wrote into a folder are left out, unless given themselves.

    Raises:
        InputError: an input does not exist, or there is no image.
    """
    images: list[Path] = []
    for path in inputs:
        if not path.exists():
            raise InputError(f"expected an image or a folder at {path}, found neither")
        images += _images_below(path) if path.is_dir() else [path]
    if not images:
        raise InputError(f"expected images ({', '.join(sorted(_SUFFIXES))}), found none")
    unique: dict[Path, Path] = {}
    for path in images:
        unique.setdefault(path.resolve(), path)
    return list(unique.values())


def _images_below(folder: Path) -> list[Path]:
    """The images below a folder without drawings; the folder of drawings lies beside predictions
    and the list of their images."""
    lists = (file for file in folder.rglob(LIST) if (file.parent / PREDICTIONS).is_file())
    drawings = [file.parent / DRAWINGS for file in lists]
    images = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    return [p for p in images if not any(p.is_relative_to(d) for d in drawings)]


def unannotated_split(images: Sequence[Path], root: Path, skeleton: Skeleton) -> Split:
    """A split of images below ``root`` without people; image ids are the numbers in file names.

    Raises:
        InputError: a file is not an image.
    """
    count, instances, keypoints = len(images), 0, len(skeleton)
    return Split(
        Annotations(
            skeleton=skeleton,
            source=str(root),
            fingerprint="",
            image_ids=_ids(images),
            sizes=np.array([read_header(path).upright_size for path in images], dtype=np.int32),
            file_names=np.array([str(p.relative_to(root)).encode() for p in images]),
            first_person=np.zeros(count + 1, dtype=np.int64),
            annotation_ids=np.zeros(instances, dtype=np.int64),
            keypoints=np.zeros((instances, keypoints, 2)),
            visibility=np.zeros((instances, keypoints), dtype=np.uint8),
            boxes=np.zeros((instances, 4)),
            areas=np.zeros(instances),
            crowd=np.zeros(instances, dtype=bool),
            head_boxes=np.zeros((instances, 4)),
            mask_rows=np.zeros(0, dtype=np.int64),
            mask_ends=np.zeros(0, dtype=np.int64),
            mask_bytes=np.zeros(0, dtype=np.uint8),
        ),
        root,
    )


def _ids(images: Sequence[Path]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The numbers that are the file names, as in COCO, or else 1, 2, …"""
    stems = [path.stem for path in images]
    numbers = {int(stem) for stem in stems if stem.isdecimal() and len(stem) < 19}  # int64
    if len(numbers) == len(stems):
        return np.array([int(stem) for stem in stems], dtype=np.int64)
    return np.arange(1, len(stems) + 1)
