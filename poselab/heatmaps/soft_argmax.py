"""Positions as means under a map."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from poselab.heatmaps.windows import windows

_TINY = 1e-10  # what stands for nothing in a denominator


def soft_argmax(logits: Tensor) -> Tensor:
    """Expected position (…, 2) of softmax(logits (…, h, w)), each axis in [-0.5, 0.5] of the map.

    Cell i of n lies at (i + 0.5)/n - 0.5, the units of :class:`poselab.outputs.Coordinates`.
    Source: integral regression, Sun et al. 2018, equation 2.
    """
    precise = logits if logits.dtype == torch.float64 else logits.float()
    shares = precise.flatten(-2).softmax(dim=-1).reshape(logits.shape)
    return torch.stack([_expectation(shares.sum(-2)), _expectation(shares.sum(-1))], dim=-1)


def _expectation(shares: Tensor) -> Tensor:
    n = shares.shape[-1]
    steps = torch.arange(n, device=shares.device, dtype=shares.dtype)
    return (shares * ((steps + 0.5) / n - 0.5)).sum(-1)


def expectation(heat: Tensor) -> Tensor:
    """Mean cell (…, 2) under what of maps (…, h, w) is above zero; the middle where nothing is.

    Whatever else the map shows draws the mean away from its peak, which the local form avoids.
    """
    weight = heat.float().clamp(min=0)
    x, y = (_mean_index(weight.sum(axis) + _TINY) for axis in (-2, -1))
    return torch.stack([x, y], dim=-1)


def local_expectation(heat: Tensor, cells: Tensor, radius: int) -> Tensor:
    """Mean cell (…, 2) under maps (…, h, w) within ``radius`` cells of whole cells (…, 2).

    Values below zero and cells outside the map count nothing. This is the local soft-argmax of maps
    that are heights already; of logits take their softmax first.
    """
    window = windows(heat.float(), cells, radius, "zero").clamp(min=0)
    x, y = (_mean_index(window.sum(axis) + _TINY) for axis in (-2, -1))
    return cells + torch.stack([x, y], dim=-1) - radius


def window_radius(sigma: float) -> int:
    """The cells that hold a Gaussian around its peak to 4 sigma, so that cutting costs nothing."""
    return math.ceil(4 * sigma)


def _mean_index(weight: Tensor) -> Tensor:
    """Mean index (…) under weights (…, n)."""
    steps = torch.arange(weight.shape[-1], device=weight.device, dtype=weight.dtype)
    return (weight * steps).sum(-1) / weight.sum(-1)
