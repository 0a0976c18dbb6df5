"""Framing: what one network input shows, one person or a whole image.

Every framing makes one matrix from image pixels to input pixels, for image and keypoints alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from poselab import geometry
from poselab.annotations.formats.detections import read_detections
from poselab.data.boxes import (
    CLIP_RULES,
    Items,
    clipped,
    detected_instances,
    labelled_instances,
    whole_images,
)
from poselab.ranges import check_positive, check_size
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations import Annotations
    from poselab.structures import Floats, Size


class AffineParameters(NamedTuple):
    """An affine change of the framed area: ``scale`` enlarges it, ``shift`` moves it by a fraction
    of its sides (x, y), ``degrees`` rotates it, and ``flipped`` flips the input horizontally."""

    scale: float = 1.0
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False


IDENTITY = AffineParameters()


class Framing(Protocol):
    """The protocol of framings."""

    @property
    def size(self) -> Size:
        """(height, width) of an input."""

    @property
    def max_instances(self) -> int:
        """P of the samples: 1 for person crops."""

    @property
    def reduced_jpeg(self) -> bool:
        """Whether JPEGs are decoded at a fraction of their size where inputs are smaller still."""

    def comparability(self) -> dict[str, Any]:
        """``boxes`` (where they come from), ``pixels``, ``input_size``, ``padding`` and
        ``reduced_jpeg``, as plain values for the comparability record."""

    def items(self, annotations: Annotations, training: bool) -> Items:
        """The inputs of an epoch."""

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The framed areas (…, 4) x y w h in image pixels of items with boxes (…, 4), in the
        aspect ratio of the input."""

    def matrix(self, area: Floats, affine: AffineParameters = IDENTITY) -> Floats:
        """The map (2, 3) from image pixels to pixels of an input that shows ``area``."""


@dataclass(frozen=True)
class _Framing:
    """What all framings share: size (height, width) of the input, the pixel convention, and whether
    JPEGs are decoded at 1/2, 1/4 or 1/8 of their size where an input is at least that much smaller.

    Raises:
        InputError: ``size`` is not two whole numbers.
    """

    size: Size
    pixels: str = "centre"
    reduced_jpeg: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        check_size("framing.size", self.size)

    def matrix(self, area: Floats, affine: AffineParameters = IDENTITY) -> Floats:
        """The map (2, 3) from image pixels to pixels of an input that shows ``area``."""
        x, y, w, h = area.tolist()
        centre = (x + w / 2 + affine.shift[0] * w, y + h / 2 + affine.shift[1] * h)
        w, h = w * affine.scale, h * affine.scale
        box = np.array([centre[0] - w / 2, centre[1] - h / 2, w, h])
        matrix = geometry.box_to_input(box, self.size, geometry.convention(self.pixels))
        if affine.degrees:
            matrix = geometry.compose(matrix, geometry.rotation(affine.degrees, centre))
        if affine.flipped:
            matrix = geometry.compose(geometry.flip(self.size[1]), matrix)
        return matrix

    def comparability(self) -> dict[str, Any]:
        """See :class:`Framing`; whole images need no boxes and have no padding."""
        return {
            "boxes": {"kind": "none"},
            "pixels": self.pixels,
            "input_size": [int(length) for length in self.size],
            "padding": None,
            "reduced_jpeg": self.reduced_jpeg,
        }

    @property
    def _aspect(self) -> float:
        return self.size[1] / self.size[0]


@dataclass(frozen=True)
class PersonCrop(_Framing):
    """One person fills the input: their box, grown to the input's aspect ratio and by ``padding``.

    ``boxes`` is a detections file for validation and prediction (None: annotated boxes), of which
    boxes with a score below ``threshold`` are left out. ``clip`` is the rule by which annotated
    boxes are made to end in the image, a key of :data:`poselab.data.boxes.CLIP_RULES`; None: they
    may reach outside.

    Raises:
        InputError: ``size`` is not two whole numbers, ``padding`` not above 0, or no such rule.
    """

    padding: float = 1.25
    boxes: str | None = None
    threshold: float = 0.0
    clip: str | None = None
    max_instances: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("framing.padding", self.padding)
        if self.clip is not None and self.clip not in CLIP_RULES:
            raise InputError(
                f"expected framing.clip out of {[*CLIP_RULES]} or null, got {self.clip!r}"
            )

    def items(self, annotations: Annotations, training: bool) -> Items:
        """Every labelled person, or every detected one.

        Raises:
            InputError: there is none, or all that a crop could show of any person is one point.
        """
        if not training and self.boxes is not None:
            detections = read_detections(Path(self.boxes))
            return detected_instances(annotations, detections, self.threshold, self.boxes)
        items = labelled_instances(annotations)
        if not items.boxes[:, 2:].any():
            raise InputError(
                f"expected boxes to crop people by in {annotations.source}, got none with a width "
                f"or height for {len(items.boxes)} people of one labelled keypoint, whose crop "
                "would show that point alone; annotate `bbox`, or use a method of whole images "
                "(such as experiment=quickstart/bottom_up)"
            )
        return items if self.clip is None else clipped(items, annotations, self.clip)

    def comparability(self) -> dict[str, Any]:
        """See :class:`Framing`."""
        boxes: dict[str, Any] = {"kind": "labelled"}
        if self.clip is not None:
            boxes["clip"] = self.clip
        if self.boxes is not None:
            boxes = {"kind": "detected", "file": self.boxes, "threshold": float(self.threshold)}
        return super().comparability() | {"boxes": boxes, "padding": self.padding}

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The person's box in the input's aspect ratio, enlarged by the padding if ``padded``."""
        return geometry.fit_aspect(box, self._aspect, self.padding if padded else 1.0)


@dataclass(frozen=True)
class WholeImage(_Framing):
    """The whole image, scaled to fit into the input and padded."""

    max_instances: int = 30

    def items(self, annotations: Annotations, training: bool) -> Items:
        """Every image; for training those with a labelled person."""
        return whole_images(annotations, with_people=training)

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The image in the input's aspect ratio."""
        return geometry.fit_aspect(box, self._aspect)
