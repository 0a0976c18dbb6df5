"""The adaptive wing loss on heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from poselab.heatmaps import sliding_max
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import HeatmapTarget


class AdaptiveWingLoss(nn.Module):
    """Steep for small errors on a peak, flat for small errors on the background.

    With d = |output - target| and the power p = alpha - target, omega·log(1 + (d/epsilon)^p) below
    theta, and above it the tangent line. Cells up to one cell from where the target reaches 0.2
    weigh 1 + ``foreground`` (10 in the paper). The mean over all elements, weights as in
    :class:`poselab.losses.heatmaps.HeatmapLoss`.
    Source: Wang et al. 2019, equations 3 to 5.

    Raises:
        InputError: alpha not above 2, or another number not above 0 (foreground: below 0).
    """

    def __init__(
        self,
        alpha: float = 2.1,
        omega: float = 14.0,
        epsilon: float = 1.0,
        theta: float = 0.5,
        foreground: float = 10.0,
    ) -> None:
        super().__init__()
        if not (alpha > 2 and min(omega, epsilon, theta) > 0 and foreground >= 0):
            raise InputError(
                "expected alpha above 2, omega, epsilon and theta above 0 and foreground of 0 or "
                f"more, got {alpha}, {omega}, {epsilon}, {theta} and {foreground}"
            )
        self.alpha, self.omega, self.epsilon = alpha, omega, epsilon
        self.theta, self.foreground = theta, foreground

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"wing": scalar}."""
        heatmaps, weight = target.heatmaps, target.weight
        if self.foreground:
            is_foreground = (sliding_max(heatmaps, 3) >= 0.2).float()
            weight = weight * (1 + self.foreground * is_foreground)
        distance = (output.float() - heatmaps).abs()
        # Alpha above two keeps the power above one, so that the gradient vanishes at no error.
        power = self.alpha - heatmaps
        ratio = self.theta / self.epsilon
        at_theta = torch.pow(ratio, power)
        slope = self.omega * power * torch.pow(ratio, power - 1) / (1 + at_theta) / self.epsilon
        line = slope * (distance - self.theta) + self.omega * torch.log1p(at_theta)
        # Clamped, because torch.where sends gradients through the branch that it does not take.
        near = torch.pow(distance.clamp(max=self.theta) / self.epsilon, power)
        cost = torch.where(distance < self.theta, self.omega * torch.log1p(near), line)
        return {"wing": (cost * weight).mean()}
