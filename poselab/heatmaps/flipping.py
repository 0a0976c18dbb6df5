"""Heatmaps of horizontally flipped inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_heatmaps(heatmaps: Tensor, flip_index: Tensor, shift: int) -> Tensor:
    """Heatmaps (…, K, h, w) of a flipped input as those of the input.

    flip_index (K,) exchanges left and right keypoints; ``shift`` moves the result right by cells,
    repeating the border.
    """
    flipped = heatmaps.index_select(-3, flip_index).flip(-1)
    if shift == 0:
        return flipped
    border = flipped[..., :1].expand(*flipped.shape[:-1], shift)
    return torch.cat([border, flipped], -1)[..., : heatmaps.shape[-1]]
