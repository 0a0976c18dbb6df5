"""The loss of the cascaded pyramid network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from poselab.losses.heatmaps import HeatmapLoss
from poselab.outputs import stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from poselab.outputs import HeatmapTarget, Stages


class CpnLoss(nn.Module):
    """GlobalNet's levels and RefineNet, weighed as in the authors' code.

    global: half the mean squared error, mean over all levels but the last output and over all
    elements; heatmaps of keypoints that are occluded or not labelled are to be empty. refine: twice
    the loss that ``last`` makes for the last output, because our losses are halved and theirs of
    RefineNet is not.
    Source: Chen et al. 2018, section 3.3; chenyilun95/tf-cpn, models/COCO.res50.256x192.CPN,
    network.py.

    Raises:
        InputError: when called, an output of one stage, or a target without visibility.
    """

    def __init__(self, last: Callable[[], nn.Module] = HeatmapLoss) -> None:
        super().__init__()
        self.last = last()

    def forward(self, output: Stages[Tensor] | Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"global": scalar, and the part of ``last``}."""
        *levels, refined = stages(output)
        if not levels or target.visible is None:
            missing = "one stage" if not levels else "a target without visibility"
            raise InputError(
                f"expected several stages and a target of HeatmapCodec in CpnLoss, got {missing}; "
                "choose method=cpn"
            )
        shown = target.heatmaps * target.visible[..., None, None]
        errors = [(level.float() - shown).square().mean() for level in levels]
        parts = {"global": 0.5 * torch.stack(errors).mean()}
        return parts | {name: 2 * part for name, part in self.last(refined, target).items()}
