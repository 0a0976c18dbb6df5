"""Images of any size into inputs of one size, and boxes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from poselab.data.images import Image
    from poselab.structures import Floats, Size

GREY = 114


class Placed(NamedTuple):
    """An input (H, W, 3) and where the image lies in it: input = scale · image + offset, for
    the corners of boxes."""

    image: Image
    scale: float
    offset: tuple[float, float]

    def to_image(self, corners: Floats) -> Floats:
        """Corners (N, 4) x y x y of the input as those of the image."""
        return np.asarray((corners - np.tile(self.offset, 2)) / self.scale)


def letterboxed(image: Image, size: Size, centred: bool) -> Placed:
    """An image (H, W, 3) as large as fits into ``size``, in its middle or its top left corner,
    grey around it, as YOLO's codes do."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inside = (min(round(height * scale), size[0]), min(round(width * scale), size[1]))
    top, left = ((size[n] - inside[n]) // 2 if centred else 0 for n in (0, 1))
    canvas = np.full((*size, 3), GREY, dtype=np.uint8)
    canvas[top : top + inside[0], left : left + inside[1]] = cv2.resize(
        image, inside[::-1], interpolation=cv2.INTER_LINEAR
    )
    return Placed(canvas, scale, (float(left), float(top)))
