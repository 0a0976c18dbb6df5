"""Affine maps between pixel frames, boxes, and the pixel conventions of the field.

Maps are (…, 2, 3) arrays that act on column vectors; all functions take NumPy arrays or tensors
where the docstring does not say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from poselab.structures import Floats, Size

Points = TypeVar("Points", "Floats", "Tensor")


@dataclass(frozen=True)
class PixelConvention:
    """Where the cells of one grid lie on the pixels of another grid over the same area.

    centre: pixels are areas with integers at their centres, so that no grid is half a pixel off.
    hrnet: grids share their first pixel and scale by width (SimpleBaseline, HRNet, SimCC code).
    udp: grids share first and last pixel and scale by width - 1 (Huang et al. 2020, section 3.2).
    """

    name: str

    def grid_to_pixel(self, cells: int, pixels: int) -> tuple[float, float]:
        """(scale, offset) with pixel = scale·cell + offset along one axis of a network input."""
        if self.name == "udp":
            return (pixels - 1) / max(cells - 1, 1), 0.0
        scale = pixels / cells
        return scale, (scale - 1) / 2 if self.name == "centre" else 0.0

    def extent(self, pixels: int) -> tuple[float, float]:
        """(length, middle) of one axis of a grid: what a box's width and centre are mapped to."""
        if self.name == "udp":
            return pixels - 1.0, (pixels - 1) / 2
        # HRNet's get_affine_transform puts a box's centre at W / 2, half a pixel past the middle.
        return float(pixels), (pixels - 1) / 2 if self.name == "centre" else pixels / 2

    def flip_shift(self, cells: int, pixels: int) -> float:
        """Cells by which a flipped heatmap lies left of the heatmap of the flipped input.

        Zero where the convention is symmetric; HRNet's code rounds it to one cell.
        """
        scale, offset = self.grid_to_pixel(cells, pixels)
        return (pixels - 1 - 2 * offset) / scale - (cells - 1)


CONVENTIONS = {name: PixelConvention(name) for name in ("centre", "hrnet", "udp")}


def convention(name: str) -> PixelConvention:
    """The pixel convention called ``name``.

    Raises:
        InputError: there is no such convention.
    """
    if name not in CONVENTIONS:
        raise InputError(f"expected a pixel convention out of {list(CONVENTIONS)}, got {name!r}")
    return CONVENTIONS[name]


def apply(matrix: Points, points: Points) -> Points:
    """Map points (…, N, 2) through matrices (…, 2, 3)."""
    # No matrix product: under autocast that would round pixels to half precision.
    column = matrix[..., None, :, :]
    return points[..., :1] * column[..., 0] + points[..., 1:] * column[..., 1] + column[..., 2]


def compose(outer: Floats, inner: Floats) -> Floats:
    """The NumPy matrix (2, 3) that applies ``inner`` first and ``outer`` to its result."""
    return np.concatenate(
        [outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], axis=1
    )


def invert(matrix: Floats) -> Floats:
    """The inverse of a NumPy matrix (2, 3).

    Raises:
        ValueError: the matrix has no inverse.
    """
    (a, b, tx), (c, d, ty) = matrix.tolist()
    determinant = a * d - b * c
    if abs(determinant) < 1e-12:
        raise ValueError(f"expected an invertible matrix, got determinant {determinant:g}")
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -a * tx - b * ty], [c, d, -c * tx - d * ty]])


def scale_translate(scale: tuple[float, float], offset: tuple[float, float]) -> Floats:
    """The matrix (2, 3) of x → scale·x + offset, per axis (x, y)."""
    return np.array([[scale[0], 0.0, offset[0]], [0.0, scale[1], offset[1]]])


def flip(width: int) -> Floats:
    """The matrix that flips an image of that width: x → width - 1 - x."""
    return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])


def rotation(degrees: float, centre: tuple[float, float]) -> Floats:
    """The matrix that rotates by an angle about a point, clockwise in the image (y points down)."""
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    x, y = centre
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])


def fit_aspect(box: Floats, aspect: float, padding: float = 1.0) -> Floats:
    """Boxes (…, 4) x y w h, grown about their centres to width/height = aspect, then ``padding``.

    A box without width or height counts as one pixel wide or high.
    """
    w, h = np.maximum(box[..., 2], 1.0), np.maximum(box[..., 3], 1.0)
    x, y = box[..., 0] + box[..., 2] / 2, box[..., 1] + box[..., 3] / 2
    w, h = np.maximum(w, h * aspect) * padding, np.maximum(h, w / aspect) * padding
    return np.stack([x - w / 2, y - h / 2, w, h], axis=-1)


def box_to_input(box: Floats, size: Size, pixels: PixelConvention) -> Floats:
    """The matrix from image pixels to an input of ``size`` (height, width) that shows ``box``.

    Each axis is scaled on its own; give a box of the input's aspect to keep proportions.
    """
    (length_y, middle_y), (length_x, middle_x) = (pixels.extent(n) for n in size)
    x, y, w, h = (float(v) for v in box)
    sx, sy = length_x / w, length_y / h
    return scale_translate((sx, sy), (middle_x - sx * (x + w / 2), middle_y - sy * (y + h / 2)))


def boxes_of_keypoints(keypoints: Floats, labelled: NDArray[Any]) -> Floats:
    """The tightest boxes (…, 4) around labelled keypoints (…, K, 2); zeros where none is."""
    mask = np.expand_dims(np.asarray(labelled, dtype=bool), -1)
    low = np.where(mask, keypoints, np.inf).min(axis=-2)
    high = np.where(mask, keypoints, -np.inf).max(axis=-2)
    any_labelled = np.expand_dims(mask.any(axis=(-2, -1)), -1)
    return np.where(any_labelled, np.concatenate([low, high - low], axis=-1), 0.0)


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), x y w h."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    union = a[:, 2:].prod(axis=-1)[:, None] + b[:, 2:].prod(axis=-1)[None] - overlap
    return np.asarray(overlap / np.maximum(union, 1e-12))  # two boxes of no area have IoU 0
