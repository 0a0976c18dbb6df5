"""The contract between backbones, necks and heads: what each feature map is like."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class FeatureInfo(NamedTuple):
    """A feature map (B, channels, H / reduction, W / reduction)."""

    channels: int
    reduction: int


class FeatureSource(Protocol):
    """A backbone or neck: ``forward`` gives one map for every entry of ``feature_info``, in order.

    Heads read the last one, so that its reduction is the stride of a method's maps.
    """

    feature_info: tuple[FeatureInfo, ...]
