"""Heads of residual log-likelihood estimation: coordinates and their deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from torch import nn
from torch.nn import functional

from poselab.methods.integral.head import SoftArgmaxHead
from poselab.models.blocks import PreciseLinear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class UncertainCoordinates(NamedTuple):
    """xy and confidence as in :class:`poselab.outputs.Coordinates`, and their uncertainty.

    sigma (B, K, 2): the standard deviation of each coordinate, in units of xy.
    """

    xy: Tensor
    confidence: Tensor
    sigma: Tensor


class LikelihoodHead(nn.Module):
    """Global average pooling and two linear layers → coordinates and their deviations.

    With ``normalise`` the pooled feature is divided by its length before the layer that gives
    coordinates. Deviations are sigmoids, and confidence is one minus their mean.
    Source: residual log-likelihood estimation, Li et al. 2021, and their released code.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int, normalise: bool = True
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.coordinates = PreciseLinear(feature_info[-1].channels, 2 * channels)
        self.sigma = PreciseLinear(feature_info[-1].channels, 2 * channels)
        for layer in (self.coordinates, self.sigma):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)

    def forward(self, features: list[Tensor]) -> UncertainCoordinates:
        pooled = features[-1].float().mean(dim=(-2, -1))
        direction = functional.normalize(pooled) if self.normalise else pooled
        xy = self.coordinates(direction).unflatten(-1, (-1, 2))
        sigma = self.sigma(pooled).sigmoid().unflatten(-1, (-1, 2))
        return UncertainCoordinates(xy=xy, confidence=1 - sigma.mean(-1), sigma=sigma)


class SoftArgmaxLikelihoodHead(nn.Module):
    """Coordinates of a :class:`SoftArgmaxHead`, deviations of a :class:`LikelihoodHead`.

    Deviations come from the pooled feature that the soft-argmax reads. ``temperature`` is the
    soft-argmax's.
    Source: residual log-likelihood estimation on integral regression, Li et al. 2021, table 2.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        normalise: Literal["softmax", "sigmoid", "debiased"] = "softmax",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.position = SoftArgmaxHead(
            feature_info=feature_info,
            channels=channels,
            normalise=normalise,
            temperature=temperature,
        )
        self.sigma = PreciseLinear(feature_info[-1].channels, 2 * channels)
        nn.init.xavier_uniform_(self.sigma.weight, gain=0.01)

    def forward(self, features: list[Tensor]) -> UncertainCoordinates:
        position = self.position(features)
        pooled = features[-1].float().mean(dim=(-2, -1))
        sigma = self.sigma(pooled).sigmoid().unflatten(-1, (-1, 2))
        return UncertainCoordinates(position.xy, confidence=1 - sigma.mean(-1), sigma=sigma)
