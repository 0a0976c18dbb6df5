"""Framing: what one network input shows, one person or a whole image.

Every framing gives one matrix from image pixels to input pixels, for image and labels alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from poselab import geometry
from poselab.data.boxes import Items, detected_people, labelled_instances, whole_images

if TYPE_CHECKING:
    from poselab.annotations import Annotations
    from poselab.structures import Floats, Size


class Motion(NamedTuple):
    """How an augmentation moves what is shown: ``scale`` enlarges the framed area, ``shift`` is a
    fraction (x, y) of it."""

    scale: float = 1.0
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False


STILL = Motion()


class Framing(Protocol):
    """The contract of a framing."""

    @property
    def size(self) -> Size:
        """(height, width) of an input."""

    @property
    def max_instances(self) -> int:
        """P of its samples."""

    def items(self, annotations: Annotations, training: bool) -> Items:
        """What an epoch goes through."""

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The boxes (…, 4) of the input's aspect that are shown for items' boxes (…, 4)."""

    def matrix(self, area: Floats, motion: Motion = STILL) -> Floats:
        """The map (2, 3) from image pixels to input pixels."""


@dataclass(frozen=True)
class _Framed:
    """What both framings share: size (height, width) of the input, and the pixel convention."""

    size: Size
    pixels: str = "centre"

    def matrix(self, area: Floats, motion: Motion = STILL) -> Floats:
        """The map (2, 3) from image pixels to an input that shows ``area``, moved."""
        x, y, w, h = area.tolist()
        middle = (x + w / 2 + motion.shift[0] * w, y + h / 2 + motion.shift[1] * h)
        w, h = w * motion.scale, h * motion.scale
        box = np.array([middle[0] - w / 2, middle[1] - h / 2, w, h])
        matrix = geometry.box_to_input(box, self.size, geometry.convention(self.pixels))
        if motion.degrees:
            matrix = geometry.compose(matrix, geometry.rotation(motion.degrees, middle))
        if motion.flipped:
            matrix = geometry.compose(geometry.flip(self.size[1]), matrix)
        return matrix

    @property
    def _aspect(self) -> float:
        return self.size[1] / self.size[0]


@dataclass(frozen=True)
class PersonCrop(_Framed):
    """One person fills the input: his box, grown to the input's aspect and by ``padding``.

    ``boxes`` names a detections file to take people from when not training (default: annotated
    boxes), of which those below ``threshold`` are left out.
    """

    padding: float = 1.25
    boxes: str | None = None
    threshold: float = 0.0
    max_instances: ClassVar[int] = 1

    def items(self, annotations: Annotations, training: bool) -> Items:
        """Every labelled person, or every detected one."""
        if training or self.boxes is None:
            return labelled_instances(annotations)
        return detected_people(annotations, Path(self.boxes), self.threshold)

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The person's box in the input's aspect, padded unless that was done already."""
        return geometry.fit_aspect(box, self._aspect, self.padding if padded else 1.0)


@dataclass(frozen=True)
class WholeImage(_Framed):
    """The whole image, scaled to fit into the input and padded."""

    max_instances: int = 30

    def items(self, annotations: Annotations, training: bool) -> Items:
        """Every image; for training those with a labelled person."""
        return whole_images(annotations, inhabited=training)

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The image in the input's aspect."""
        return geometry.fit_aspect(box, self._aspect)
