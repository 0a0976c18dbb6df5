"""Network inputs from image files: decoded at the resolution that they need, and warped once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from poselab import geometry
from poselab.io.images import UNKNOWN, Image, decode, is_jpeg, read_content, turn_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.structures import Floats, Size


def read_and_warp(
    path: Path,
    matrix: Floats,
    size: Size,
    annotated: Size = UNKNOWN,
    border: int = 0,
    reduced_jpeg: bool = True,
) -> Image:
    """The input (H, W, 3) of ``size`` that shows an image through ``matrix`` (2, 3), image → input
    pixels.

    The image is upright, or as its ``annotated`` (height, width) says (see
    :func:`poselab.io.images.read_image`). With ``reduced_jpeg`` a JPEG is decoded at half, quarter
    or eighth size where the input is that much smaller. Pixels outside the image have the grey
    value ``border``: black, as in SimpleBaseline's and HRNet's code.

    Raises:
        InputError: no such file, not an image, one of too many pixels, or one that is cut off.
    """
    content, header = read_content(path)
    orientation = header.orientation_for(annotated)
    if orientation != 1:  # turned by the one warp, which costs nothing
        matrix = geometry.compose(matrix, turn_matrix(orientation, header.size))
    reduction = _reduction(matrix) if reduced_jpeg and is_jpeg(content) else 1
    image = decode(path, content, reduction)
    if reduction > 1:
        unreduce = geometry.scale_translate((reduction,) * 2, ((reduction - 1) / 2,) * 2)
        matrix = geometry.compose(matrix, unreduce)
    return _warp(image, matrix, size, border)


def _warp(image: Image, matrix: Floats, size: Size, border: int) -> Image:
    """The image (H, W, 3) through the matrix.

    OpenCV interpolates four channels in less than half the time of three, to the same values, so
    the needed part of the image gets a fourth channel first.
    """
    rows, columns = _needed_part(matrix, size, image.shape)
    four = np.empty((*image.shape[:2], 4), dtype=np.uint8)  # the rest stays undefined
    cv2.cvtColor(image[rows, columns], cv2.COLOR_RGB2RGBA, dst=four[rows, columns])
    warped = cv2.warpAffine(
        four, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderValue=(border,) * 4
    )
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def _needed_part(matrix: Floats, size: Size, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an image of ``shape`` that an input of ``size`` is interpolated from."""
    (a, b, x), (c, d, y) = geometry.invert(matrix).tolist()
    right, bottom = size[1] - 1, size[0] - 1
    return _span(y, c * right, d * bottom, shape[0]), _span(x, a * right, b * bottom, shape[1])


def _span(start: float, across: float, down: float, available: int) -> slice:
    """The pixels, at least one, that a coordinate spans over the corners of the input."""
    low = math.floor(start + min(across, 0.0) + min(down, 0.0)) - 1
    high = math.floor(start + max(across, 0.0) + max(down, 0.0)) + 3
    first = min(max(low, 0), available - 1)
    return slice(first, min(max(high, first + 1), available))


def to_planes(image: Image) -> Image:
    """An image (H, W, 3) as (3, H, W), contiguous, so that collating copies it fast."""
    planes = np.empty((image.shape[2], *image.shape[:2]), dtype=np.uint8)
    cv2.split(image, list(planes))  # writes into the given planes
    return planes


def _reduction(matrix: Floats) -> int:
    """The largest divisor of a JPEG's size at which the input loses no detail."""
    (a, b, _), (c, d, _) = matrix.tolist()
    zoom = math.sqrt(abs(a * d - b * c))
    return next((r for r in (8, 4, 2) if zoom * r <= 1.0), 1)
