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

    Costs of both axes are multiplied by the keypoint's weight. ``mean_over_bins``: their mean over
    bins, keypoints and inputs (SimCC with Gaussians, "NMTNORM"), else the sum over bins and
    keypoints and the mean over inputs (SimCC's plain form, whose results its tables report).
    ``sum_over_batch``: the sum over inputs instead of their mean, as in RTMPose. Adam ignores the
    scale of a loss while gradients are far above its epsilon, which some of a mean would not be.
    beta multiplies the logits; with ``soften`` the target is softmax(beta·target), as in RTMPose
    (beta 10).
    Source: SimCC, Li et al. 2022, section 3.2 and lib/core/loss.py; RTMPose, Jiang et al. 2023,
    equation 2, and KLDiscretLoss of mmpose.

    Raises:
        InputError: beta not above zero.
    """

    def __init__(
        self,
        beta: float = 1.0,
        soften: bool = False,
        mean_over_bins: bool = False,
        sum_over_batch: bool = False,
    ) -> None:
        super().__init__()
        if not beta > 0:
            raise InputError(f"expected beta above 0, got {beta}")
        self.beta, self.soften = beta, soften
        self.mean_over_bins, self.sum_over_batch = mean_over_bins, sum_over_batch

    def forward(self, output: AxisLogits, target: AxisTarget) -> dict[str, Tensor]:
        """{"x": scalar, "y": scalar}."""
        weight = target.weight[..., None]
        return {
            "x": self._reduced(self._divergence(output.x, target.x) * weight),
            "y": self._reduced(self._divergence(output.y, target.y) * weight),
        }

    def _divergence(self, logits: Tensor, target: Tensor) -> Tensor:
        """(B, K, n) of logits and targets (B, K, n)."""
        if self.soften:
            target = (target * self.beta).softmax(-1)
        log_p = (logits.float() * self.beta).log_softmax(-1)
        return functional.kl_div(log_p, target, reduction="none")

    def _reduced(self, cost: Tensor) -> Tensor:
        """The scalar of costs (B, K, n)."""
        per_input = cost.mean((1, 2)) if self.mean_over_bins else cost.sum((1, 2))
        return per_input.sum() if self.sum_over_batch else per_input.mean()
