"""Positions as means under heatmaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from poselab.heatmaps.windows import windows

_EPSILON = 1e-10  # keeps the denominator above zero where a heatmap is empty


def soft_argmax(logits: Tensor) -> Tensor:
    """Mean position (…, 2) under softmax(logits (…, h, w)), each axis in [-0.5, 0.5] of the input.

    Cell i of n lies at (i + 0.5)/n - 0.5, the units of :class:`poselab.outputs.Coordinates`.
    Source: integral regression, Sun et al. 2018, equation 2.
    """
    # bfloat16 would round positions near the border of an input by a quarter of a pixel.
    precise = logits if logits.dtype == torch.float64 else logits.float()
    probability = precise.flatten(-2).softmax(dim=-1).reshape(logits.shape)
    x, y = (_mean_centred(probability.sum(axis)) for axis in (-2, -1))
    return torch.stack([x, y], dim=-1)


def _mean_centred(probability: Tensor) -> Tensor:
    n = probability.shape[-1]
    steps = torch.arange(n, device=probability.device, dtype=probability.dtype)
    return (probability * ((steps + 0.5) / n - 0.5)).sum(-1)


def mean_position(heatmaps: Tensor) -> Tensor:
    """Mean cell (…, 2) under the positive values of heatmaps (…, h, w), else the middle.

    Values outside the peak move the mean away from it; :func:`local_mean_position` avoids that.
    """
    weight = heatmaps.float().clamp(min=0)
    x, y = (_mean_index(weight.sum(axis) + _EPSILON) for axis in (-2, -1))
    return torch.stack([x, y], dim=-1)


def local_mean_position(heatmaps: Tensor, cells: Tensor, radius: int) -> Tensor:
    """Mean cell (…, 2) under heatmaps (…, h, w) within ``radius`` cells of whole cells (…, 2).

    Negative values and cells outside the heatmap count as zero.
    """
    window = windows(heatmaps.float(), cells, radius, "zero").clamp(min=0)
    x, y = (_mean_index(window.sum(axis) + _EPSILON) for axis in (-2, -1))
    return cells + torch.stack([x, y], dim=-1) - radius


def window_radius(sigma: float) -> int:
    """The radius of 4 sigma in whole cells, beyond which a Gaussian does not change its mean."""
    return math.ceil(4 * sigma)


def _mean_index(weight: Tensor) -> Tensor:
    """Mean index (…) under weights (…, n)."""
    steps = torch.arange(weight.shape[-1], device=weight.device, dtype=weight.dtype)
    return (weight * steps).sum(-1) / weight.sum(-1)
