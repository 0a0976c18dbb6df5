"""The layers between a deep trunk and the stages of part affinity fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from poselab.models.feature_info import FeatureInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class NarrowingNeck(nn.Module):
    """3×3 convolutions with PReLU that make the last feature narrower, to the last of ``widths``.

    Source: OpenPose, Cao et al. 2019, whose code makes VGG-19's 512 channels 256, then 128.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], widths: Sequence[int] = (256, 128)
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = feature_info[-1].channels
        for width in widths:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.PReLU(width)]
            inputs = width
        self.layers = nn.Sequential(*layers)
        self.feature_info = (FeatureInfo(inputs, feature_info[-1].reduction),)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return [self.layers(features[-1])]
