"""Maps of flipped inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def flip_heatmaps(maps: Tensor, names: Tensor, shift: int) -> Tensor:
    """Maps (…, K, h, w) of a flipped input as those of the input.

    names (K,) are the flipped keypoints; ``shift`` moves the result right, repeating the border.
    """
    flipped = maps.index_select(-3, names).flip(-1)
    if shift == 0:
        return flipped
    return torch.cat([flipped[..., :1].expand(*flipped.shape[:-1], shift), flipped], -1)[
        ..., : maps.shape[-1]
    ]
