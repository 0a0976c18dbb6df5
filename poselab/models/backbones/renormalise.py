"""Normalisation of images as published weights need it, where it differs from ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of RGB pixels from 0 to 1; what networks that were pretrained on ImageNet expect."""


class Renormalise(nn.Module):
    """Undo ImageNet's normalisation of RGB images and apply another: (B, 3, H, W) → the same.

    mean and std: of the channels in ``order``, for pixels from 0 to 1.

    Raises:
        InputError: an unknown order.
    """

    def __init__(
        self,
        *,
        order: Literal["rgb", "bgr"] = "rgb",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        if order not in ("rgb", "bgr"):
            raise InputError(f"expected rgb or bgr as the order of channels, got {order!r}")
        self.channels = [0, 1, 2] if order == "rgb" else [2, 1, 0]
        old_mean, old_std = (torch.tensor(v)[self.channels] for v in (IMAGENET_MEAN, IMAGENET_STD))
        new_mean, new_std = torch.tensor(list(mean)), torch.tensor(list(std))
        scale, offset = old_std / new_std, (old_mean - new_mean) / new_std
        self.register_buffer("scale", scale.view(3, 1, 1), persistent=False)
        self.register_buffer("offset", offset.view(3, 1, 1), persistent=False)
        self.scale: Tensor
        self.offset: Tensor

    def forward(self, images: Tensor) -> Tensor:
        return images[:, self.channels] * self.scale + self.offset
