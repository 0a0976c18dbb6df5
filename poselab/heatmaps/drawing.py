"""Drawing target heatmaps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from poselab.heatmaps.peaks import nearest_cell

if TYPE_CHECKING:
    from poselab.structures import Size


def gaussians(
    cells: Tensor, size: Size, sigma: float, *, biased: bool, height: Tensor | None = None
) -> Tensor:
    """Gaussians (…, h, w) of height one around cells (…, 2); sigma in cells.

    biased: centre rounded to a cell, cut to a square of 3 sigma (SimpleBaseline, Xiao et al. 2018);
    else the exact centre (DARK, Zhang et al. 2020, equation 1), cut at 8 sigma. height (…):
    another height than one.
    """
    centre = nearest_cell(cells) if biased else cells
    # 8 sigma is 1e-14 of the height; smaller values are denormal, on which CPUs are very slow.
    reach = (3 if biased else 8) * sigma
    x, y = (_profile(centre[..., axis], size[1 - axis], sigma, reach) for axis in (0, 1))
    if height is not None:
        y = y * height[..., None]
    return y[..., :, None] * x[..., None, :]


def _profile(centre: Tensor, length: int, sigma: float, reach: float) -> Tensor:
    """The Gaussian along one axis, (…, length)."""
    steps = torch.arange(length, device=centre.device, dtype=centre.dtype)
    distance = steps - centre[..., None]
    profile = torch.exp(distance.square() * (-0.5 / sigma**2))
    return profile.where(distance.abs() <= reach, 0.0)


def one_hot(cells: Tensor, size: Size, height: Tensor) -> Tensor:
    """Heatmaps (…, h, w) of ``height`` (…) at the cell nearest to cells (…, 2), zero elsewhere."""
    nearest = nearest_cell(cells)[..., None, :]
    x, y = (
        (torch.arange(size[1 - axis], device=cells.device) == nearest[..., axis]).to(cells.dtype)
        for axis in (0, 1)
    )
    return (y * height[..., None])[..., :, None] * x[..., None, :]


def max_gaussians(cells: Tensor, drawn: Tensor, size: Size, sigma: float) -> Tensor:
    """Heatmaps (B, K, h, w): the maximum over instances of exact Gaussians at cells (B, P, K, 2).

    Each is cut to a square of 3 sigma around its nearest cell; those not ``drawn`` (B, P, K) are
    left out. Work and memory grow with the area of the Gaussians, not with P·h·w.
    """
    h, w = size
    reach = math.ceil(3 * sigma)
    centre = nearest_cell(cells)
    steps = torch.arange(-reach, reach + 1, device=cells.device, dtype=cells.dtype)
    x, y = (centre[..., axis, None] + steps for axis in (0, 1))
    inside_x, inside_y = (x >= 0) & (x < w), (y >= 0) & (y < h) & drawn[..., None]
    value_x = torch.exp((x - cells[..., 0, None]).square() * (-0.5 / sigma**2)) * inside_x
    value_y = torch.exp((y - cells[..., 1, None]).square() * (-0.5 / sigma**2)) * inside_y
    # Cells outside have the value zero, so the border cells they are sent to keep their maximum.
    column, row = x.clamp(0, w - 1).long(), y.clamp(0, h - 1).long()
    index = row[..., :, None] * w + column[..., None, :]
    value = value_y[..., :, None] * value_x[..., None, :]
    # The maximum, not the sum: the peaks of two people who are close stay two, of height one
    # (OpenPose, Cao et al. 2017, section 2.2).
    index, value = (per_instance.transpose(1, 2).flatten(2) for per_instance in (index, value))
    empty = cells.new_zeros(len(cells), cells.shape[2], h * w)
    return empty.scatter_reduce(-1, index, value, "amax").reshape(*empty.shape[:2], h, w)
