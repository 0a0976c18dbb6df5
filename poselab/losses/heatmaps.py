"""Losses on maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from poselab.outputs import MapTarget


class MapLoss(nn.Module):
    """Half the weighted squared error, as SimpleBaseline and HRNet train with.

    Normalised by the number of all elements B·C·h·w, whatever their weight, so that an input with
    few labelled keypoints pulls less; with weights 0 and 1 this is their JointsMSELoss.
    """

    def forward(self, output: Tensor, target: MapTarget) -> dict[str, Tensor]:
        """{"maps": scalar}."""
        return {"maps": 0.5 * weighted_square_error(output, target.maps, target.weight)}


def weighted_square_error(output: Tensor, maps: Tensor, weight: Tensor) -> Tensor:
    """Mean over all elements of weight·(output - maps)²."""
    return ((output.float() - maps).square() * weight).mean()
