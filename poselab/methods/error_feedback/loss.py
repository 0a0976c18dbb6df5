"""The loss of iterative error feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from poselab.methods.error_feedback.network import Correction
    from poselab.outputs import CoordinateTarget


class CorrectionLoss(nn.Module):
    """Squared distance of a correction from the error clipped to the bound, in units of the bound.

    The mean over labelled keypoints, zero where nothing is labelled.
    Source: Carreira et al. 2016, section 2.
    """

    def forward(self, output: Correction, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"correction": scalar}."""
        error = (target.xy - output.start) / output.reach
        wanted = error / torch.linalg.vector_norm(error, dim=-1, keepdim=True).clamp(min=1)
        made = (output.xy.float() - output.start) / output.reach
        distance = (made - wanted).square().sum(-1)
        return {"correction": (distance * target.weight).sum() / target.weight.sum().clamp(min=1)}
