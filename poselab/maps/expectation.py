"""Positions as means under a map."""

from __future__ import annotations

import torch
from torch import Tensor


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
