"""The loss of part and context regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import Coordinates, CoordinateTarget

_MIN_PROBABILITY = 1e-6  # keeps logarithms finite; the maximum is one minus this


class ElasticNetLoss(nn.Module):
    """Absolute plus squared error of both axes, and the presence of each keypoint.

    Positions: mean over labelled keypoints, in units of the input's sides. Presence: binary cross
    entropy of the confidence with being labelled, mean over all keypoints, times ``presence``; 0
    leaves it out.
    Source: Luvizon et al. 2019, section 3.

    Raises:
        InputError: a negative factor.
    """

    def __init__(self, presence: float = 0.01) -> None:
        super().__init__()
        if presence < 0:
            raise InputError(f"expected a factor of presence of 0 or more, got {presence}")
        self.presence = presence

    def forward(self, output: Coordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar, "presence": scalar}, the second where it has a factor."""
        error = output.xy.float() - target.xy
        cost = (error.abs() + error.square()).sum(-1) * target.weight
        parts = {"coordinates": cost.sum() / target.weight.sum().clamp(min=1)}
        if self.presence:
            limits = (_MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
            p = output.confidence.float().clamp(*limits)
            present = (target.weight > 0).float()
            # torch's binary_cross_entropy refuses to run under autocast.
            entropy = -(present * p.log() + (1 - present) * (1 - p).log())
            parts["presence"] = self.presence * entropy.mean()
        return parts
