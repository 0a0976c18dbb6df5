"""Heads that several methods share: the last feature map (B, C, h, w) → what a codec decodes.

``channels`` is the codec's. Heads of one method lie beside it in ``methods/``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from poselab.models.blocks import PreciseLinear, bias, heatmap_layer
from poselab.outputs import Coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class HeatmapHead(nn.Module):
    """One convolution with an odd kernel → heatmaps (B, channels, h, w)."""

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int, kernel: int = 1
    ) -> None:
        super().__init__()
        self.final_layer = heatmap_layer(feature_info[-1].channels, channels, kernel)

    def forward(self, features: list[Tensor]) -> Tensor:
        heatmaps: Tensor = self.final_layer(features[-1])
        return heatmaps


class RegressionHead(nn.Module):
    """Global average pooling and one linear layer → coordinates of ``channels`` keypoints.

    The confidence is always one, since nothing estimates it.
    Source: DeepPose, Toshev and Szegedy 2014, on a residual network (Li et al. 2021, table 1).
    """

    def __init__(self, *, feature_info: Sequence[FeatureInfo], channels: int) -> None:
        super().__init__()
        self.coordinates = PreciseLinear(feature_info[-1].channels, 2 * channels)
        nn.init.normal_(self.coordinates.weight, std=0.01)
        nn.init.zeros_(bias(self.coordinates))

    def forward(self, features: list[Tensor]) -> Coordinates:
        pooled = features[-1].float().mean(dim=(-2, -1))
        xy = self.coordinates(pooled).unflatten(-1, (-1, 2))
        return Coordinates(xy=xy, confidence=torch.ones_like(xy[..., 0]))
