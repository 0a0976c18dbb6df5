"""The protocol of detectors: images in, the boxes of people out.

conf/detector makes detectors by functions ``from_...(*, table, device, ...)``: ``table`` holds the
annotations of the images (without people if they are not annotated), which most detectors ignore,
and the other arguments are the detector's settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from poselab.io.images import UNKNOWN, Image, read_header, read_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.structures import Floats, Size


@dataclass(frozen=True)
class DetectorInput:
    """One image of a batch; its pixels are read when they are first used.

    ``annotated`` is its (height, width) in annotations, zeros where there is none.
    """

    image_id: int
    path: Path
    annotated: Size = UNKNOWN

    @cached_property
    def pixels(self) -> Image:
        """(H, W, 3) uint8 RGB; errors as in :func:`poselab.io.images.read_image`."""
        return read_image(self.path, self.annotated)

    @cached_property
    def size(self) -> Size:
        """(height, width), from the file's header; errors as in
        :func:`poselab.io.images.read_header`."""
        header = read_header(self.path)
        upright = header.orientation_for(self.annotated) == header.orientation
        return header.upright_size if upright else header.size


class DetectedBoxes(NamedTuple):
    """The people detected in one image: boxes (N, 4) float64 x y w h image pixels, scores (N,)."""

    boxes: Floats
    scores: Floats


NO_BOXES = DetectedBoxes(np.zeros((0, 4)), np.zeros(0))


class Detector(Protocol):
    """Detects people."""

    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The boxes of each image, in the order of the images."""


def boxes_of_corners(corners: Floats, scores: Floats) -> DetectedBoxes:
    """Boxes of corners (N, 4) x y x y, with scores (N,)."""
    corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return DetectedBoxes(boxes, np.asarray(scores, dtype=np.float64))
