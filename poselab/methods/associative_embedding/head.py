"""The head of associative embedding: heatmaps and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from poselab.models.blocks import bias
from poselab.outputs import TaggedHeatmaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.features import Feature


class TaggedHead(nn.Module):
    """One convolution → ``channels`` heatmaps and as many maps of ``tags``-dimensional tags.

    Tags start wide apart compared with the maps: the loss that separates people has no gradient
    where all tags are equal.
    Source: associative embedding, Newell et al. 2017, section 3.2.
    """

    def __init__(self, *, features: Sequence[Feature], channels: int, tags: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.output = nn.Conv2d(features[-1].channels, (1 + tags) * channels, 1)
        nn.init.normal_(self.output.weight[:channels], std=0.001)
        nn.init.zeros_(bias(self.output))

    def forward(self, maps: list[Tensor]) -> TaggedHeatmaps:
        output = self.output(maps[-1])
        tags = output[:, self.channels :].unflatten(1, (-1, self.channels))
        return TaggedHeatmaps(maps=output[:, : self.channels], tags=tags)
