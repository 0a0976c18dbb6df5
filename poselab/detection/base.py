"""What a detector owes: the boxes of people in pictures, a few pictures at a time.

A detector is made with ``table`` (annotations of the pictures, without people where nobody labelled
any) and ``device`` besides its own settings; most need neither or only the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from poselab.data.images import Image, read_picture
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.structures import Floats, Size


@dataclass(frozen=True)
class Shown:
    """A picture that a detector is shown; its pixels are read when it looks at them."""

    image_id: int
    path: Path

    @cached_property
    def pixels(self) -> Image:
        """(H, W, 3) uint8 RGB.

        Raises:
            InputError: no such file, or not a picture.
        """
        return read_picture(self.path)

    @cached_property
    def size(self) -> Size:
        """(height, width), from the file's head; pictures are never turned.

        Raises:
            InputError: no such file, or not a picture.
        """
        from PIL import Image as Pictures

        try:
            with Pictures.open(self.path) as picture:
                return picture.height, picture.width
        except OSError:
            raise InputError(
                f"expected a picture at {self.path}, found none that opens; check the folder"
            ) from None


class Found(NamedTuple):
    """The people of one picture: boxes (N, 4) float64 x y w h picture pixels, scores (N,)."""

    boxes: Floats
    scores: Floats


NOBODY = Found(np.zeros((0, 4)), np.zeros(0))


class Detector(Protocol):
    """People in pictures."""

    def __call__(self, pictures: Sequence[Shown]) -> list[Found]:
        """What is found in each picture, in their order."""


def from_corners(corners: Floats, scores: Floats) -> Found:
    """Boxes given by corners (N, 4) x y x y."""
    corners = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return Found(boxes, np.asarray(scores, dtype=np.float64))
