"""Squared errors of heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import HeatmapTarget


class HeatmapLoss(nn.Module):
    """Half the weighted squared error, as SimpleBaseline and HRNet train with.

    The mean is over all elements B·C·h·w, whatever their weight, so that an input with few labelled
    keypoints weighs less; with weights 0 and 1 this is their JointsMSELoss.
    """

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"heatmaps": scalar}."""
        error = weighted_square_error(output, target.heatmaps, target.weight)
        return {"heatmaps": 0.5 * error}


class HardKeypointLoss(nn.Module):
    """Half the weighted squared error of the ``hardest`` keypoints of each input.

    The mean over those keypoints, over cells and over inputs. Source: online hard keypoint mining,
    CPN, Chen et al. 2018, section 3.3: 8 of 17.

    Raises:
        InputError: ``hardest`` below one; when called, more than there are keypoints.
    """

    def __init__(self, hardest: int = 8) -> None:
        super().__init__()
        if hardest < 1:
            raise InputError(f"expected 1 hardest keypoint or more, got {hardest}")
        self.hardest = hardest

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"hard": scalar}."""
        if self.hardest > output.shape[1]:
            raise InputError(
                f"expected loss.hardest up to the number of heatmaps, {output.shape[1]}, got "
                f"{self.hardest}; choose fewer"
            )
        each = ((output.float() - target.heatmaps).square() * target.weight).mean((-2, -1))
        return {"hard": 0.5 * each.topk(self.hardest, dim=1).values.mean()}


def weighted_square_error(output: Tensor, heatmaps: Tensor, weight: Tensor) -> Tensor:
    """Mean over all elements of weight·(output - heatmaps)²."""
    return ((output.float() - heatmaps).square() * weight).mean()
