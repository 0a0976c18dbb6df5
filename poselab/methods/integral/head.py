"""Heads that give positions together with what training needs to know of them.

What they emit has ``xy`` and ``confidence`` as :class:`poselab.outputs.Coordinates` has, so that
the coordinate codec decodes all of it; the rest is for the losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from poselab.heatmaps import peaks, soft_argmax
from poselab.models.blocks import heatmap_layer
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from poselab.models.features import Feature


class SoftArgmaxCoordinates(NamedTuple):
    """xy and confidence as in Coordinates, and what they were read off.

    maps (B, K, h, w) as the network gave them; log_weights (B, K, h, w), whose softmax is the
    distribution that xy is the mean of.
    """

    xy: Any
    confidence: Any
    maps: Any
    log_weights: Any


class SoftArgmaxHead(nn.Module):
    """Mean position under one map a keypoint made a distribution → coordinates and the maps.

    normalise: "softmax" (Sun et al. 2018, equation 1); "sigmoid" over the sum of sigmoids;
    "debiased": softmax less the share that cells of zero have in it, which pulls the mean towards
    the centre (Gu et al. 2021), values below zero counting as zero.
    read: "expectation", or "peak" for the highest cell, through which no gradient flows: Sun's
    heads H2 and H3 are that with a loss on the maps alone.
    temperature divides the maps first, so below one sharpens. Confidence is the highest sigmoid
    where those normalise, else the probability of the 3×3 cells around the likeliest place.

    Raises:
        InputError: an unknown way to normalise or read, or a temperature not above zero.
    """

    def __init__(
        self,
        *,
        features: Sequence[Feature],
        channels: int,
        normalise: Literal["softmax", "sigmoid", "debiased"] = "softmax",
        read: Literal["expectation", "peak"] = "expectation",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if normalise not in _LOG_WEIGHTS or read not in ("expectation", "peak"):
            raise InputError(
                f"expected normalise to be one of {', '.join(_LOG_WEIGHTS)} and read to be "
                f"expectation or peak, got {normalise!r} and {read!r}"
            )
        if not temperature > 0:
            raise InputError(f"expected a temperature above 0, got {temperature}")
        self.normalise, self.read, self.temperature = normalise, read, temperature
        self.logits = heatmap_layer(features[-1].channels, channels)

    def forward(self, maps: list[Tensor]) -> SoftArgmaxCoordinates:
        raw = self.logits(maps[-1]).float()
        scaled = raw / self.temperature
        log_weights = _LOG_WEIGHTS[self.normalise](scaled)
        if self.normalise == "sigmoid":
            confidence = scaled.detach().amax((-2, -1)).sigmoid()
        else:
            confidence = _peak_mass(log_weights.detach())
        xy = soft_argmax(log_weights) if self.read == "expectation" else _peak_position(raw)
        return SoftArgmaxCoordinates(xy, confidence, maps=raw, log_weights=log_weights)


def _peak_mass(logits: Tensor) -> Tensor:
    """Largest probability (B, K) of a 3×3 window under the softmax of logits (B, K, h, w)."""
    mass = logits.flatten(-2).softmax(dim=-1).view_as(logits)
    return 9 * functional.avg_pool2d(mass, 3, 1, 1).amax(dim=(-2, -1))


def _unchanged(logits: Tensor) -> Tensor:
    return logits


def _above_background(logits: Tensor) -> Tensor:
    """log(exp(x) - 1) where x is above zero.

    With n cells, C = sum of exp and cells of zero centred on 0, the paper's correction of the mean
    m is C·m / (C - n), which is the mean under exp(x) - 1.
    """
    positive = logits.clamp(min=1e-8)
    return positive + torch.log(-torch.expm1(-positive))


_LOG_WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": _unchanged,
    "sigmoid": functional.logsigmoid,
    "debiased": _above_background,
}


def _peak_position(maps: Tensor) -> Tensor:
    """The highest cells (B, K, 2) in units of the input, centred."""
    cells, _ = peaks(maps.detach())
    return (cells + 0.5) / cells.new_tensor([maps.shape[-1], maps.shape[-2]]) - 0.5
