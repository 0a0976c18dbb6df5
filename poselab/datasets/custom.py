"""Annotations of one's own: any file that is read, and any folder of images, for each split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.datasets.base import DatasetFiles, SplitFiles
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(train: Mapping[str, Any], val: Mapping[str, Any]) -> DatasetFiles:
    """Each split as ``annotations``, a file, and ``images``, the folder that its names start from.

    Relative paths start from the working folder.

    Raises:
        InputError: one of them is not given.
    """
    return DatasetFiles(_split("train", train), _split("val", val))


def _split(name: str, given: Mapping[str, Any]) -> SplitFiles:
    for key in ("annotations", "images"):
        if not isinstance(path := given.get(key), str) or not path:
            raise InputError(
                f"expected a path as data.sources.{name}.{key}, got {shortened(path)}; give the "
                "annotation file and the folder of images of both splits"
            )
    annotations, images = (Path(given[key]).expanduser() for key in ("annotations", "images"))
    return SplitFiles(name, (annotations,), images)
