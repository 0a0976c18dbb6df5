"""The head of HigherHRNet: tagged heatmaps, then heatmaps of twice their resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from poselab.methods.associative_embedding.head import TaggedHead
from poselab.methods.higher_hrnet.codec import TwoResolutions
from poselab.models.blocks import BasicBlock, heatmap_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class HigherHrnetHead(nn.Module):
    """A :class:`TaggedHead`, and on its output and the feature a transposed convolution, ``blocks``
    residual blocks and a convolution to ``channels`` heatmaps.

    width: channels of the transposed convolution (None: those of the feature, as in both of the
    authors' networks). Source: HigherHRNet, Cheng et al. 2020, section 3.2 and figure 2.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        tags: int = 1,
        width: int | None = None,
        blocks: int = 4,
    ) -> None:
        super().__init__()
        inputs = feature_info[-1].channels
        width = width or inputs
        self.low = TaggedHead(feature_info=feature_info, channels=channels, tags=tags)
        self.upsample = nn.Sequential(
            nn.ConvTranspose2d(inputs + (1 + tags) * channels, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            *(BasicBlock(inputs=width, outputs=width) for _ in range(blocks)),
        )
        self.high = heatmap_layer(width, channels)

    def forward(self, features: list[Tensor]) -> TwoResolutions:
        low = self.low(features)
        finer = torch.cat([features[-1], low.heatmaps, low.tags.flatten(1, 2)], dim=1)
        return TwoResolutions(low, self.high(self.upsample(finer)))
