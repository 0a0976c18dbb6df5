"""Poses drawn on images."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.structures import Floats, Size, Skeleton

Image = np.ndarray[Any, np.dtype[np.uint8]]
_SHIFT = 4
"""Fractional bits of OpenCV's sub-pixel drawing."""


def draw_poses(image: Image, keypoints: Floats, mask: Any, skeleton: Skeleton) -> Image:
    """A copy of an image (H, W, 3) RGB with poses (P, K, 2): keypoints where ``mask`` (P, K), limbs
    where it holds for both ends.

    Left limbs have a warm colour, right ones a cold one, the others are green; people differ in
    brightness.
    """
    drawn = np.ascontiguousarray(image).copy()
    thickness = max(1, round(min(image.shape[:2]) / 128))
    for n, (points, known) in enumerate(zip(keypoints, np.asarray(mask, dtype=bool), strict=True)):
        brightness = 1.0 - 0.12 * (n % 4)
        ends = np.round(np.nan_to_num(points) * (1 << _SHIFT)).astype(int)
        for a, b in skeleton.limb_index:
            if known[a] and known[b]:
                colour = _colour((skeleton.keypoints[a], skeleton.keypoints[b]), brightness)
                limb = (_point(ends[a]), _point(ends[b]))
                cv2.line(drawn, *limb, colour, thickness, cv2.LINE_AA, _SHIFT)
        for k in np.flatnonzero(known):
            colour = _colour((skeleton.keypoints[k],), brightness)
            radius = round(1.2 * thickness * (1 << _SHIFT))
            cv2.circle(drawn, _point(ends[k]), radius, colour, -1, cv2.LINE_AA, _SHIFT)
    return drawn


def contact_sheet(images: Sequence[Image], columns: int = 6, gap: int = 4) -> Image:
    """Equally large images (H, W, 3) in rows, on white."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for n, image in enumerate(images):
        y = gap + (n // columns) * (height + gap)
        x = gap + (n % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def fit_into(image: Image, size: Size) -> Image:
    """An image scaled to lie in the middle of ``size`` (height, width), on grey."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(n * scale)) for n in image.shape[:2])
    fitted = np.full((*size, 3), 230, dtype=np.uint8)
    y, x = (size[0] - height) // 2, (size[1] - width) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=method)
    return fitted


def _colour(names: tuple[str, ...], brightness: float) -> tuple[int, int, int]:
    left = all(name.startswith("left_") for name in names)
    right = all(name.startswith("right_") for name in names)
    hue = 0.06 if left else 0.58 if right else 0.33
    r, g, b = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.85, brightness))
    return r, g, b


def _point(end: Any) -> tuple[int, int]:
    return int(end[0]), int(end[1])
