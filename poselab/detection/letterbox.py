"""Fit images of any size into inputs of one size, and map boxes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from poselab.io.images import Image
    from poselab.structures import Floats, Size

GREY = 114  # of YOLOv5's and YOLOX's code, which networks have seen around images in training


class Letterboxed(NamedTuple):
    """An input (H, W, 3) that shows a whole image; corners of boxes in input pixels are scale times
    those in image pixels plus offset."""

    image: Image
    scale: float
    offset: tuple[float, float]

    def to_image(self, corners: Floats) -> Floats:
        """Corners (N, 4) x y x y in input pixels → image pixels."""
        return np.asarray((corners - np.tile(self.offset, 2)) / self.scale)


def letterbox(image: Image, size: Size, centred: bool) -> Letterboxed:
    """Scale an image (H, W, 3) to fit into ``size`` (height, width) and pad it with grey, as YOLO's
    codes do: on all sides (``centred``), or right and below."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inside = (min(round(height * scale), size[0]), min(round(width * scale), size[1]))
    top, left = ((size[n] - inside[n]) // 2 if centred else 0 for n in (0, 1))
    canvas = np.full((*size, 3), GREY, dtype=np.uint8)
    canvas[top : top + inside[0], left : left + inside[1]] = cv2.resize(
        image, inside[::-1], interpolation=cv2.INTER_LINEAR
    )
    return Letterboxed(canvas, scale, (float(left), float(top)))
