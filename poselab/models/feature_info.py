"""What backbones and necks declare about their feature maps, as in timm."""

from __future__ import annotations

from typing import NamedTuple


class FeatureInfo(NamedTuple):
    """A feature map (B, channels, H / reduction, W / reduction).

    The ``feature_info`` of a backbone or neck has one for each map that it returns, in order. Heads
    read the last one, so its reduction is the stride of a method's heatmaps.
    """

    channels: int
    reduction: int
