"""The head of integral regression: coordinates, and the heatmaps that they are means of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from poselab.heatmaps import peaks, soft_argmax
from poselab.models.blocks import heatmap_layer
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class SoftArgmaxCoordinates(NamedTuple):
    """xy and confidence as in :class:`poselab.outputs.Coordinates`, and their heatmaps.

    heatmaps (B, K, h, w) of the network; log_weights (B, K, h, w), whose softmax is the
    distribution that xy is the mean of.
    """

    xy: Tensor
    confidence: Tensor
    heatmaps: Tensor
    log_weights: Tensor


class SoftArgmaxHead(nn.Module):
    """One heatmap per keypoint, normalised to a distribution → its mean position and the heatmaps.

    normalise: "softmax" (Sun et al. 2018, equation 1); "sigmoid" over the sum of sigmoids;
    "debiased": softmax less the part of cells of value zero, which pulls the mean towards the
    centre (Gu et al. 2021); negative values count as zero.
    position: "soft_argmax", or the "argmax", through which no gradient flows: with a loss on the
    heatmaps alone that gives Sun's heads H2 and H3.
    temperature divides the heatmaps first; values below one sharpen them. Confidence is the highest
    sigmoid with "sigmoid", else the probability of the most probable 3×3 cells.

    Raises:
        InputError: an unknown ``normalise`` or ``position``, or a temperature not above zero.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        normalise: Literal["softmax", "sigmoid", "debiased"] = "softmax",
        position: Literal["soft_argmax", "argmax"] = "soft_argmax",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if normalise not in _LOG_WEIGHTS or position not in ("soft_argmax", "argmax"):
            raise InputError(
                f"expected normalise to be one of {', '.join(_LOG_WEIGHTS)} and position to be "
                f"soft_argmax or argmax, got {normalise!r} and {position!r}"
            )
        if not temperature > 0:
            raise InputError(f"expected a temperature above 0, got {temperature}")
        self.normalise, self.position, self.temperature = normalise, position, temperature
        self.final_layer = heatmap_layer(feature_info[-1].channels, channels)

    def forward(self, features: list[Tensor]) -> SoftArgmaxCoordinates:
        heatmaps = self.final_layer(features[-1]).float()
        scaled = heatmaps / self.temperature
        log_weights = _LOG_WEIGHTS[self.normalise](scaled)
        # Detached: it says how peaked the heatmap is, and no loss trains it.
        if self.normalise == "sigmoid":
            confidence = scaled.detach().amax((-2, -1)).sigmoid()
        else:
            confidence = _peak_probability(log_weights.detach())
        if self.position == "soft_argmax":
            xy = soft_argmax(log_weights)
        else:
            cells, _ = peaks(heatmaps.detach())
            size = cells.new_tensor([heatmaps.shape[-1], heatmaps.shape[-2]])
            xy = (cells + 0.5) / size - 0.5
        return SoftArgmaxCoordinates(xy, confidence, heatmaps, log_weights)


def _peak_probability(logits: Tensor) -> Tensor:
    """Largest probability (B, K) of a 3×3 window under the softmax of logits (B, K, h, w)."""
    probability = logits.flatten(-2).softmax(dim=-1).view_as(logits)
    # Nine times the mean is the sum, also at borders, where padding counts as zeros.
    return 9 * functional.avg_pool2d(probability, 3, 1, 1).amax(dim=(-2, -1))


def _log_without_background(logits: Tensor) -> Tensor:
    """log(exp(x) - 1) where x is above zero.

    With n cells, C = sum of exp and cells of zero centred on 0, the paper's correction of the mean
    m is C·m / (C - n), which is the mean under exp(x) - 1.
    """
    positive = logits.clamp(min=1e-8)
    return positive + torch.log(-torch.expm1(-positive))


_LOG_WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits,
    "sigmoid": functional.logsigmoid,
    "debiased": _log_without_background,
}
