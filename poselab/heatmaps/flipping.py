"""Heatmaps of horizontally flipped inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_heatmaps(heatmaps: Tensor, flip_index: Tensor, shift: int) -> Tensor:
    """The heatmaps (…, K, h, w) of an input, from those of its horizontal flip.

    flip_index (K,) swaps left and right keypoints; the result is moved right by ``shift`` cells and
    its border repeated.
    """
    flipped = heatmaps.index_select(-3, flip_index).flip(-1)
    if shift == 0:
        return flipped
    border = flipped[..., :1].expand(*flipped.shape[:-1], shift)
    return torch.cat([border, flipped], -1)[..., : heatmaps.shape[-1]]
