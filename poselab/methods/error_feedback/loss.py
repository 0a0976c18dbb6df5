"""The loss of iterative error feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from poselab.methods.error_feedback.network import bounded

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.methods.error_feedback.network import Correction
    from poselab.outputs import CoordinateTarget


class CorrectionLoss(nn.Module):
    """Squared distance of a correction from the error clipped to the bound, in units of the bound.

    The mean over labelled keypoints, zero where nothing is labelled.
    Source: Carreira et al. 2016, section 2.
    """

    def forward(self, output: Correction, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"correction": scalar}."""
        expected = bounded((target.xy - output.start) / output.reach)
        predicted = (output.xy.float() - output.start) / output.reach
        distance = (predicted - expected).square().sum(-1)
        return {"correction": (distance * target.weight).sum() / target.weight.sum().clamp(min=1)}
