"""What a detector owes: the boxes of people in images, a few images at a time.

A detector is made with ``table`` (annotations of the images, without people where nobody labelled
any) and ``device`` besides its own settings; most need neither or only the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from poselab.data.images import Image, read_image
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.structures import Floats, Size


@dataclass(frozen=True)
class Shown:
    """An image that a detector is shown; its pixels are read when it looks at them."""

    image_id: int
    path: Path

    @cached_property
    def pixels(self) -> Image:
        """(H, W, 3) uint8 RGB.

        Raises:
            InputError: no such file, or not an image.
        """
        return read_image(self.path)

    @cached_property
    def size(self) -> Size:
        """(height, width), from the file's head; images are never turned.

        Raises:
            InputError: no such file, or not an image.
        """
        from PIL import Image as Images

        try:
            with Images.open(self.path) as image:
                return image.height, image.width
        except OSError:
            raise InputError(
                f"expected an image at {self.path}, found none that opens; check the folder"
            ) from None


class Found(NamedTuple):
    """The people of one image: boxes (N, 4) float64 x y w h image pixels, scores (N,)."""

    boxes: Floats
    scores: Floats


NOBODY = Found(np.zeros((0, 4)), np.zeros(0))


class Detector(Protocol):
    """People in images."""

    def __call__(self, images: Sequence[Shown]) -> list[Found]:
        """What is found in each image, in their order."""


def from_corners(corners: Floats, scores: Floats) -> Found:
    """Boxes given by corners (N, 4) x y x y."""
    corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return Found(boxes, np.asarray(scores, dtype=np.float64))
