"""Where the splits of a dataset lie on disk, where to get them, and how to open them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations import Annotations, layout_of, open_annotations
from poselab.annotations.check import is_present
from poselab.annotations.options import with_options
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations.options import AnnotationOptions


@dataclass(frozen=True)
class Split:
    """A set of annotated images: the table and the folder of its images."""

    annotations: Annotations
    images: Path

    def image_path(self, row: int) -> Path:
        """The file of an image row.

        Raises:
            InputError: its name leaves the folder of images, and may not.
        """
        return self.annotations.image_path(self.images, row)

    def limited(self, images: int | None) -> Split:
        """The split with only its first ``images`` images."""
        if images is None or images >= len(self.annotations):
            return self
        return replace(self, annotations=self.annotations.select(np.arange(images)))

    def with_options(self, options: AnnotationOptions) -> Split:
        """The split with the sigmas, flip pairs and areas that the user says.

        Raises:
            InputError: they do not fit its keypoints.
        """
        return replace(self, annotations=with_options(self.annotations, options))


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split and where to get them.

    ``annotations`` lists the files that may hold its annotations, of which the first that exists is
    read; files in ``unsplit`` hold those of several splits: they are checked but never trained on.
    ``by_content``: other datasets use the same file name, so that the content must be of
    ``layout``. ``present_only`` leaves out images that do not exist; ``first`` and ``last`` bound
    the others like a Python slice.
    """

    name: str
    annotations: tuple[Path, ...]
    images: Path
    annotations_url: str = ""
    images_url: str = ""
    unsplit: tuple[Path, ...] = ()
    layout: str = "auto"
    by_content: bool = False
    present_only: bool = False
    first: int | None = None
    last: int | None = None

    def annotation_file(self) -> Path | None:
        """The first of ``annotations`` that exists."""
        return next((file for file in self.annotations if self._is_annotation_file(file)), None)

    def checked_file(self) -> Path | None:
        """The annotation file, or else the first of ``unsplit`` that exists."""
        return self.annotation_file() or next((f for f in self.unsplit if f.is_file()), None)

    def open(self, category: str | int | None = None, outside_images: bool = False) -> Split:
        """Read the annotations, of one category or of all that share their keypoints.

        ``outside_images``: the annotations may name files outside of the folder of images.

        Raises:
            InputError: a file is missing or broken, or no image is left.
        """
        if not self.images.is_dir():
            raise InputError(
                f"expected a folder of images at {self.images}, found none; set data.sources."
                "root, or the files of your own annotations (data=custom, see `poselab train "
                "--help`), or see `poselab data check` and `poselab data synth`"
            )
        file = self.annotation_file() or self.annotations[0]
        if not file.exists() and (others := _like(file)):
            raise InputError(
                f"expected annotations at {file}, found only {others[:200]} there; set "
                "data.sources.train and data.sources.val"
            )
        table = open_annotations(file, layout=self.layout, category=category)
        table = replace(table, outside_images=outside_images)
        rows = np.arange(len(table))
        if self.present_only:
            rows = rows[is_present(table, self.images)]
        chosen = rows[self.first : self.last]
        if not len(chosen):
            raise InputError(f"expected images in {file}, found none to use")
        if len(chosen) < len(table):
            table = table.select(chosen)
        return Split(table, self.images)

    def _is_annotation_file(self, file: Path) -> bool:
        if not file.is_file():
            return False
        if not self.by_content:
            return True
        try:
            return layout_of(file) == self.layout
        except InputError:
            return False


def _like(file: Path) -> str:
    """The files beside an absent one that are of its kind."""
    return ", ".join(sorted(path.name for path in file.parent.glob(f"*{file.suffix}")))


class DatasetFiles(NamedTuple):
    """The two splits that a method trains and validates on."""

    train: SplitFiles
    val: SplitFiles
