"""The loss of heatmaps and part affinity fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from poselab.losses.heatmaps import weighted_square_error
from poselab.outputs import stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.methods.part_affinity.fields import PartFields, PartFieldTarget
    from poselab.outputs import Stages


class PartAffinityLoss(nn.Module):
    """The masked squared error of heatmaps and of fields, summed over the stages of an output.

    Each is the mean over all elements, times its weight. The authors take half the sum over
    elements, so that a heatmap and a field's component weigh the same in each cell: as here with
    equal weights, but for the numbers of heatmaps and components.
    Source: Cao et al. 2017, equations 5 to 7.

    Raises:
        InputError: a negative weight.
    """

    def __init__(self, heatmaps: float = 1.0, fields: float = 1.0) -> None:
        super().__init__()
        if min(heatmaps, fields) < 0:
            raise InputError(f"expected loss weights of 0 or more, got {heatmaps} and {fields}")
        self.heatmaps, self.fields = heatmaps, fields

    def forward(
        self, output: Stages[PartFields] | PartFields, target: PartFieldTarget
    ) -> dict[str, Tensor]:
        """{"heatmaps": scalar, "fields": scalar}."""
        weight, of_fields = target.weight, target.weight[:, None]
        heatmaps = [
            weighted_square_error(stage.heatmaps, target.heatmaps, weight)
            for stage in stages(output)
            if stage.heatmaps is not None
        ]
        fields = [
            weighted_square_error(stage.fields, target.fields, of_fields)
            for stage in stages(output)
            if stage.fields is not None
        ]
        return {
            "heatmaps": self.heatmaps * torch.stack(heatmaps).sum(),
            "fields": self.fields * torch.stack(fields).sum(),
        }
