"""Where heatmap cells lie on the pixels of a network input, and what several codecs share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from poselab import geometry
from poselab.codecs.base import CodecDefaults
from poselab.heatmaps import flip_heatmaps
from poselab.structures import InputError, Poses, Size, Skeleton

if TYPE_CHECKING:
    from poselab.geometry import PixelConvention


@dataclass(frozen=True)
class Grid:
    """Heatmaps of one cell per ``stride`` pixels over an input of ``input_size`` (height, width).

    Raises:
        InputError: the stride does not divide the input size.
    """

    input_size: Size
    stride: int
    pixels: PixelConvention

    def __post_init__(self) -> None:
        if any(length % self.stride or length <= 0 for length in self.input_size):
            raise InputError(
                f"expected an input size that the stride {self.stride} divides, "
                f"got {tuple(self.input_size)}; choose another input size"
            )

    @property
    def size(self) -> Size:
        """(h, w) of the heatmaps."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    @property
    def cell_size(self) -> float:
        """The longer side of a cell in input pixels."""
        return max(scale for scale, _ in self._cell_to_pixel())

    @property
    def flip_shift(self) -> int:
        """Whole cells by which heatmaps of flipped inputs move right (one in HRNet's code)."""
        # Halves go up, unlike in Python's round: at stride 2 HRNet's grids are half a cell apart.
        return math.floor(self.pixels.flip_shift(self.size[1], self.input_size[1]) + 0.5)

    def to_cells(self, points: Tensor) -> Tensor:
        """Input pixels (…, 2) as heatmap cells."""
        return _scale_axes(
            points, [(1 / scale, -offset / scale) for scale, offset in self._cell_to_pixel()]
        )

    def to_pixels(self, cells: Tensor) -> Tensor:
        """Heatmap cells (…, 2) as input pixels."""
        return _scale_axes(cells, self._cell_to_pixel())

    def _cell_to_pixel(self) -> list[tuple[float, float]]:
        """(scale, offset) along x and y."""
        (h, w), (height, width) = self.size, self.input_size
        return [self.pixels.grid_to_pixel(w, width), self.pixels.grid_to_pixel(h, height)]

    def within(self, cells: Tensor, reach: float) -> Tensor:
        """Which cells (…, 2) lie at most ``reach`` cells outside the heatmap; false for NaN."""
        h, w = self.size
        x, y = cells[..., 0], cells[..., 1]
        return (x >= -reach) & (x <= w - 1 + reach) & (y >= -reach) & (y <= h - 1 + reach)

    def downsample_mask(self, loss_mask: Tensor) -> Tensor:
        """A mask (B, H, W) or (B, 1, 1) as float (B, 1, h, w) or (B, 1, 1, 1).

        A cell is one where more than half of its pixels are.
        """
        mask = loss_mask[:, None].float()
        # The loader sends one cell for inputs in which everything counts.
        if mask.shape[-2:] == (1, 1):
            return mask
        return (functional.avg_pool2d(mask, self.stride) > 0.5).float()


@dataclass(frozen=True)
class SquareGrid(Grid):
    """Cells scaled about the middle, along both axes by the ratio of widths less one (DARK)."""

    def _cell_to_pixel(self) -> list[tuple[float, float]]:
        (h, w), (height, width) = self.size, self.input_size
        scale = (width - 1) / (w - 1)
        return [(scale, 0.0), (scale, (height - 1 - scale * (h - 1)) / 2)]


def _scale_axes(points: Tensor, axes: list[tuple[float, float]]) -> Tensor:
    # No matrix product: autocast and TF32 would round the positions.
    scaled = [points[..., i] * scale + offset for i, (scale, offset) in enumerate(axes)]
    return torch.stack(scaled, dim=-1)


@dataclass(kw_only=True, eq=False)
class GridCodec(CodecDefaults):
    """Base of codecs whose outputs are heatmaps; its fields are settings, subclasses add more.

    pixels: the name of the pixel convention, see :mod:`poselab.geometry`.

    Raises:
        InputError: an unknown convention, or a stride that does not divide the input size.
    """

    skeleton: Skeleton
    input_size: Size
    stride: int
    pixels: str = "centre"

    def __post_init__(self) -> None:
        self.grid = self._make_grid(geometry.convention(self.pixels))
        self.channels = len(self.skeleton)

    def _make_grid(self, pixels: PixelConvention) -> Grid:
        return Grid(self.input_size, self.stride, pixels)

    def comparability(self) -> dict[str, Any]:
        """See :class:`poselab.codecs.base.Codec`."""
        return {"flip_shift": int(self.grid.flip_shift)}

    def flipped(self, output: Tensor) -> Tensor:
        """Heatmaps (B, …, K, h, w) flipped, sides swapped, shifted as ``pixels`` requires."""
        index = flip_indices(self.skeleton, output.device)
        return flip_heatmaps(output, index, self.grid.flip_shift)


@lru_cache(maxsize=64)
def flip_indices(skeleton: Skeleton, device: torch.device) -> Tensor:
    """``skeleton.flip_index`` as a tensor, sent to each device once."""
    # The cached tensor outlives this call, and a later caller may need gradients through it.
    with torch.inference_mode(False):
        return torch.tensor(skeleton.flip_index, device=device)


def single_person(keypoints: Tensor, visibility: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B, K, 2), zero where not labelled, and labelled (B, K) bool, from P = 1.

    Raises:
        ValueError: P is not one.
    """
    if keypoints.shape[1] != 1:
        raise ValueError(
            f"expected one person per input for a single-person codec, got {keypoints.shape[1]}; "
            "choose framing=person_crop or a multi-person codec"
        )
    labelled = visibility[:, 0] > 0
    # Zeros, because NaN times a weight of zero would still be NaN in the loss.
    return keypoints[:, 0].float().where(labelled[..., None], 0.0), labelled


def inside_input(points: Tensor, input_size: Size) -> Tensor:
    """Which points (…, 2) in input pixels lie on the input (height, width): (…) bool."""
    limits = points.new_tensor(input_size[::-1]) - 0.5
    return ((points >= -0.5) & (points <= limits)).all(-1)


def single_pose(points: Tensor, scores: Tensor) -> Poses:
    """Poses with P = 1, always valid, of points (B, K, 2) and scores (B, K)."""
    valid = torch.ones(len(points), 1, dtype=torch.bool, device=points.device)
    return Poses(points[:, None], scores[:, None], valid)
