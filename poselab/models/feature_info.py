"""What backbones and necks declare about their feature maps, as in timm."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class FeatureInfo(NamedTuple):
    """A feature map (B, channels, H / reduction, W / reduction)."""

    channels: int
    reduction: int


class FeatureSource(Protocol):
    """A backbone or neck: ``forward`` returns one feature map per ``feature_info``, in order.

    Heads read the last one, so its reduction is the stride of a method's heatmaps.
    """

    feature_info: tuple[FeatureInfo, ...]
