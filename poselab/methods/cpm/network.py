"""Convolutional pose machines: every stage sees image features and the last stage's heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from poselab.models.blocks import conv_norm_relu, heatmap_layer
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size


class CpmTowers(nn.Module):
    """Two towers of three 9×9 convolutions: one feature of 2·width channels at reduction 8.

    The first half is for the first stage, the second for all others. Max pooling is 3×3, stride 2.

    Raises:
        InputError: an input size that 8 does not divide.
    Source: Wei et al. 2016, figure 2 (sharing from stage 2 on), with batch normalisation added.
    """

    def __init__(self, *, input_size: Size, width: int = 128) -> None:
        super().__init__()
        if any(side % 8 for side in input_size):
            raise InputError(
                f"expected framing.size in multiples of 8, got {tuple(input_size)}; change it"
            )
        self.towers = nn.ModuleList(_tower(width) for _ in range(2))
        self.feature_info = (FeatureInfo(2 * width, 8),)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [torch.cat([tower(images) for tower in self.towers], dim=1)]


def _tower(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (3, width, width):
        layers += [conv_norm_relu(inputs, width, kernel=9), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*layers)


class CpmHead(nn.Module):
    """Heatmaps (B, channels, h, w) of ``stages`` stages, six in the paper.

    Each stage after the first sees the heatmaps of the one before and ``context`` channels made of
    the second half of the last feature, through three 11×11 convolutions of ``width`` channels. The
    paper's background and centre heatmaps are left out: one person fills the input.

    Raises:
        InputError: no stage, or a feature whose channels cannot be halved.
    Source: Wei et al. 2016, section 3.2 and figure 2.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        stages: int = 6,
        width: int = 128,
        context: int = 32,
        first: int = 512,
    ) -> None:
        super().__init__()
        inputs = feature_info[-1].channels
        if stages < 1 or inputs % 2:
            raise InputError(
                f"expected head.stages of 1 or more on an even number of channels, got {stages} "
                f"on {inputs}; change head or backbone"
            )
        half = inputs // 2
        self.first = nn.Sequential(
            conv_norm_relu(half, context, kernel=5),
            conv_norm_relu(context, first, kernel=9),
            conv_norm_relu(first, first, kernel=1),
            heatmap_layer(first, channels),
        )
        self.contexts = nn.ModuleList(
            conv_norm_relu(half, context, kernel=5) for _ in range(stages - 1)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(conv_norm_relu(n, width, kernel=11) for n in (channels + context, width, width)),
                conv_norm_relu(width, width, kernel=1),
                heatmap_layer(width, channels),
            )
            for _ in range(stages - 1)
        )

    def forward(self, features: list[Tensor]) -> Stages[Tensor]:
        first, rest = features[-1].chunk(2, dim=1)
        outputs = [self.first(first)]
        for context, stage in zip(self.contexts, self.stages, strict=True):
            outputs.append(stage(torch.cat([outputs[-1], context(rest)], dim=1)))
        return Stages(tuple(outputs))
