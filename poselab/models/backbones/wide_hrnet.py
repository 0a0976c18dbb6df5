"""HRNet with the wider last fusion of UDP's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from poselab.models.backbones.timm_backbone import TimmBackbone
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.structures import Size

_WIDER = 4


class WideFusionHRNet(TimmBackbone):
    """An HRNet whose last fusion gives four times the channels of its highest resolution.

    Raises:
        InputError: a network that is no HRNet, or other features than the highest resolution.
    Source: HuangJunJie2017/UDP-Pose, lib/models/pose_hrnet.py, which the paper does not mention.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        name: str = "hrnet_w32",
        pretrained: bool = False,
        weights: str | None = None,
        reductions: Sequence[int] | None = (4,),
    ) -> None:
        super().__init__(
            input_size=input_size,
            name=name,
            pretrained=pretrained,
            weights=weights,
            reductions=reductions,
        )
        given = [info.reduction for info in self.feature_info]
        if not self.is_hrnet or given != [4]:
            raise InputError(
                f"expected an HRNet read at reduction 4, got {name} at {given}; "
                "set backbone.reductions=[4]"
            )
        fusion = self.net.stage4[-1].fuse_layers[0]
        width = _WIDER * self.feature_info[0].channels
        for branch, layers in enumerate(fusion):
            fusion[branch] = _widened(layers, self.feature_info[0].channels, width)
        self.feature_info = (FeatureInfo(width, 4),)


def _widened(layers: nn.Module, inputs: int, width: int) -> nn.Sequential:
    """The layers from one branch into a fusion of ``width`` channels.

    The branch of the fusion's own resolution has no normalisation, as in UDP's code.
    """
    if isinstance(layers, nn.Identity):
        return nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False))
    assert isinstance(layers, nn.Sequential)
    first, _, *rest = layers
    assert isinstance(first, nn.Conv2d)
    return nn.Sequential(
        nn.Conv2d(first.in_channels, width, 1, bias=False), nn.BatchNorm2d(width), *rest
    )
