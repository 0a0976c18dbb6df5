"""The focal loss on heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import HeatmapTarget


class FocalHeatmapLoss(nn.Module):
    """Cross entropy of sigmoids in which well predicted cells have little weight.

    The highest cell of a target is its positive: -(1 - p)^alpha·log p. All others are negatives:
    -(1 - target)^beta·p^alpha·log(1 - p), so that neighbours of the peak weigh less. The sum is
    divided by the weight of the positives (at least one). Outputs are logits: give the codec
    ``activation: sigmoid``.
    Source: CornerNet, Law and Deng 2018, equation 1; CenterNet, Zhou et al. 2019, equation 1.

    Raises:
        InputError: a negative alpha or beta.
    """

    def __init__(self, alpha: float = 2.0, beta: float = 4.0) -> None:
        super().__init__()
        if min(alpha, beta) < 0:
            raise InputError(f"expected alpha and beta of 0 or more, got {alpha} and {beta}")
        self.alpha, self.beta = alpha, beta

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"focal": scalar}."""
        logits, heatmaps = output.float(), target.heatmaps
        p = logits.sigmoid()
        # In an empty heatmap every cell has the maximum, zero: none of them is a positive.
        is_positive = (heatmaps == heatmaps.amax((-2, -1), keepdim=True)) & (heatmaps > 0)
        # log p and log(1 - p) from the logits stay finite where p rounds to zero or one.
        positive = (1 - p) ** self.alpha * -functional.logsigmoid(logits)
        negative = (1 - heatmaps) ** self.beta * p**self.alpha * -functional.logsigmoid(-logits)
        total = ((positive * is_positive + negative * ~is_positive) * target.weight).sum()
        return {"focal": total / (is_positive * target.weight).sum().clamp(min=1)}
