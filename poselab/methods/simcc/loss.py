"""Losses on classified coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import AxisLogits, AxisTarget


class AxisLoss(nn.Module):
    """Divergence of the bins' softmax from the target, of a one-hot target the cross entropy.

    Per axis the mean over bins (``mean_over_bins``: RTMPose, SimCC with Gaussians, "NMTNORM") or
    their sum (SimCC's plain form, whose results its tables report), times the keypoint's weight;
    both axes are added and the mean taken over all keypoints of the batch, whatever their weight.
    The authors of SimCC take the sum over keypoints in the plain form and those of RTMPose over
    the batch. beta multiplies the logits; with ``soften`` the target is softmax(beta·target), as in
    RTMPose (beta 10).
    Source: SimCC, Li et al. 2022, section 3.2; RTMPose, Jiang et al. 2023, equation 2.

    Raises:
        InputError: beta not above zero.
    """

    def __init__(
        self, beta: float = 1.0, soften: bool = False, mean_over_bins: bool = False
    ) -> None:
        super().__init__()
        if not beta > 0:
            raise InputError(f"expected beta above 0, got {beta}")
        self.beta, self.soften, self.mean_over_bins = beta, soften, mean_over_bins

    def forward(self, output: AxisLogits, target: AxisTarget) -> dict[str, Tensor]:
        """{"x": scalar, "y": scalar}."""
        return {
            "x": (self._divergence(output.x, target.x) * target.weight).mean(),
            "y": (self._divergence(output.y, target.y) * target.weight).mean(),
        }

    def _divergence(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B, K) of logits and targets (B, K, n)."""
        if self.soften:
            target = (target * self.beta).softmax(-1)
        log_p = (logits.float() * self.beta).log_softmax(-1)
        each = functional.kl_div(log_p, target, reduction="none")
        return each.mean(-1) if self.mean_over_bins else each.sum(-1)
