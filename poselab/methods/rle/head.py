"""Heads of residual log-likelihood estimation: positions and their standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from torch import nn
from torch.nn import functional

from poselab.methods.integral.head import SoftArgmaxHead
from poselab.models.heads import full_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.features import Feature


class UncertainCoordinates(NamedTuple):
    """xy and confidence as in Coordinates; sigma (B, K, 2) the deviation of each, in its units."""

    xy: Any
    confidence: Any
    sigma: Any


class LikelihoodHead(nn.Module):
    """Global average pooling and two linear layers → positions and their deviations.

    Positions are read off the direction of the pooled feature (its length is divided out) when
    ``normalise``; deviations are sigmoids, and confidence is one minus their mean.
    Source: residual log-likelihood estimation, Li et al. 2021, and their released code.
    """

    def __init__(
        self, *, features: Sequence[Feature], channels: int, normalise: bool = True
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.coordinates = nn.Linear(features[-1].channels, 2 * channels)
        self.sigma = nn.Linear(features[-1].channels, 2 * channels)
        for layer in (self.coordinates, self.sigma):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)

    def forward(self, maps: list[Tensor]) -> UncertainCoordinates:
        pooled = maps[-1].float().mean(dim=(-2, -1))
        with full_precision(pooled.device.type):
            direction = functional.normalize(pooled) if self.normalise else pooled
            xy = self.coordinates(direction).unflatten(-1, (-1, 2))
            sigma = self.sigma(pooled).sigmoid().unflatten(-1, (-1, 2))
        return UncertainCoordinates(xy=xy, confidence=1 - sigma.mean(-1), sigma=sigma)


class SoftArgmaxLikelihoodHead(nn.Module):
    """Positions of a :class:`SoftArgmaxHead`, deviations of a :class:`LikelihoodHead`.

    Deviations are read off the pooled map that the soft-argmax sees. The temperature is the
    soft-argmax's.
    Source: residual log-likelihood estimation on integral regression, Li et al. 2021, table 2.
    """

    def __init__(
        self,
        *,
        features: Sequence[Feature],
        channels: int,
        normalise: Literal["softmax", "sigmoid", "debiased"] = "softmax",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.position = SoftArgmaxHead(
            features=features, channels=channels, normalise=normalise, temperature=temperature
        )
        self.sigma = nn.Linear(features[-1].channels, 2 * channels)
        nn.init.xavier_uniform_(self.sigma.weight, gain=0.01)

    def forward(self, maps: list[Tensor]) -> UncertainCoordinates:
        found = self.position(maps)
        pooled = maps[-1].float().mean(dim=(-2, -1))
        with full_precision(pooled.device.type):
            sigma = self.sigma(pooled).sigmoid().unflatten(-1, (-1, 2))
        return UncertainCoordinates(found.xy, confidence=1 - sigma.mean(-1), sigma=sigma)
