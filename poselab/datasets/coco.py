"""Where the datasets keep their files, by their official layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from poselab.annotations import open_annotations
from poselab.data.dataset import Split
from poselab.structures import InputError


@dataclass(frozen=True)
class Source:
    """Where a split lies: an annotation file, the folder of its images, and which of them.

    ``present_only`` leaves out images that are not there; ``first`` and ``last`` bound the rest,
    as a Python slice does.
    """

    annotations: Path
    images: Path
    layout: str = "auto"
    first: int | None = None
    last: int | None = None
    present_only: bool = False

    def open(self) -> Split:
        """Read the annotations.

        Raises:
            InputError: a file is missing or broken, or no image is left.
        """
        if not self.images.is_dir():
            raise InputError(
                f"expected a folder of images at {self.images}, found none; set data.sources."
                "root, or see `poselab data check` and `poselab data synth`"
            )
        table = open_annotations(self.annotations, layout=self.layout)
        rows = np.arange(len(table))
        if self.present_only:
            there = {path.name for path in self.images.iterdir()}
            rows = rows[[table.file_name(row) in there for row in rows.tolist()]]
        chosen = rows[self.first : self.last]
        if not len(chosen):
            raise InputError(f"expected images in {self.annotations}, found none to use")
        if len(chosen) < len(table):
            table = table.select(chosen)
        return Split(table, self.images)


class Sources(NamedTuple):
    """The two splits of a dataset."""

    train: Source
    val: Source


def coco(root: str, train: str = "train2017", val: str = "val2017") -> Sources:
    """COCO: ROOT/annotations/person_keypoints_SPLIT.json and ROOT/SPLIT/*.jpg."""

    def source(split: str) -> Source:
        file = Path(root) / "annotations" / f"person_keypoints_{split}.json"
        return Source(file, Path(root) / split, "coco")

    return Sources(source(train), source(val))


def mpii(root: str, train: str = "train.json", val: str = "valid.json") -> Sources:
    """MPII with the community's split: ROOT/annotations/{train,valid}.json and ROOT/images."""

    def source(file: str) -> Source:
        return Source(Path(root) / "annotations" / file, Path(root) / "images")

    return Sources(source(train), source(val))


def lsp(root: str, held_out: int = 500) -> Sources:
    """Leeds Sports Pose Extended: ROOT/joints.mat, ROOT/images; the last images validate.

    Often only the images with all joints labelled are handed on, with all images' joints.
    """
    file, images = Path(root) / "joints.mat", Path(root) / "images"
    return Sources(
        Source(file, images, "lsp", last=-held_out, present_only=True),
        Source(file, images, "lsp", first=-held_out, present_only=True),
    )
