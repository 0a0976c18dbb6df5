"""The head of associative embedding: heatmaps and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from poselab.models.blocks import PreciseConv2d, bias
from poselab.outputs import TaggedHeatmaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class TaggedHead(nn.Module):
    """One convolution → ``channels`` heatmaps and as many maps of ``tags``-dimensional tags.

    Tags are initialised with a larger spread than heatmaps, because the loss that separates people
    has no gradient where all tags are equal.
    Source: associative embedding, Newell et al. 2017, section 3.2.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int, tags: int = 1
    ) -> None:
        super().__init__()
        self.channels = channels
        self.final_layer = PreciseConv2d(feature_info[-1].channels, (1 + tags) * channels, 1)
        nn.init.normal_(self.final_layer.weight[:channels], std=0.001)
        nn.init.zeros_(bias(self.final_layer))

    def forward(self, features: list[Tensor]) -> TaggedHeatmaps:
        output = self.final_layer(features[-1])
        tags = output[:, self.channels :].unflatten(1, (-1, self.channels))
        return TaggedHeatmaps(heatmaps=output[:, : self.channels], tags=tags)
