"""CSPNeXt: published sizes, reported features, and what it cannot take."""

from __future__ import annotations

import pytest
import torch

from poselab.methods.simcc.heads import RtmccHead
from poselab.models.backbones import CSPNeXt
from poselab.models.cost import network_cost
from poselab.models.necks import LastFeature
from poselab.models.pose_net import PoseNet
from poselab.structures import InputError, Size


@pytest.mark.parametrize(
    ("deepen", "widen", "size", "millions", "gmacs"),
    [
        (0.167, 0.375, (256, 192), 3.34, 0.36),
        (0.33, 0.5, (256, 192), 5.47, 0.68),
        (0.67, 0.75, (256, 192), 13.59, 1.93),
        (1.0, 1.0, (256, 192), 27.66, 4.16),
        (0.67, 0.75, (384, 288), 13.72, 4.33),
        (1.0, 1.0, (384, 288), 27.79, 9.35),
    ],
)
def test_rtmpose_is_as_large_as_published(
    deepen: float, widen: float, size: Size, millions: float, gmacs: float
) -> None:
    """mmpose's counter also charges norms and activations, some hundredths."""
    with torch.device("meta"):
        backbone = CSPNeXt(input_size=size, deepen=deepen, widen=widen)
        neck = LastFeature(feature_info=backbone.feature_info)
        bins, cells = (2 * size[0], 2 * size[1]), (size[0] // 32, size[1] // 32)
        head = RtmccHead(feature_info=neck.feature_info, channels=17, bins=bins, cells=cells)
        net = PoseNet(backbone=backbone, neck=neck, head=head)
    found = network_cost(net, size)
    assert found.parameters / 1e6 == pytest.approx(millions, abs=0.005)
    assert found.gmacs == pytest.approx(gmacs, rel=0.02)


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_features_are_as_announced_and_every_parameter_learns(size: Size) -> None:
    torch.manual_seed(0)
    backbone = CSPNeXt(input_size=size, deepen=0.34, widen=0.25)
    features = backbone(torch.randn(2, 3, *size))
    assert [feature.reduction for feature in backbone.feature_info] == [4, 8, 16, 32]
    for feature, found in zip(backbone.feature_info, features, strict=True):
        rows, columns = (side // feature.reduction for side in size)
        assert found.shape == (2, feature.channels, rows, columns)
    (features[-1] * torch.randn_like(features[-1])).sum().backward()
    idle = [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize(
    ("size", "options"),
    [((250, 192), {}), ((256, 192), {"widen": float("nan")}), ((256, 192), {"deepen": 0.0})],
)
def test_what_it_cannot_take_raises(size: Size, options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="multiples of 32 and backbone.deepen and widen above 0"):
        CSPNeXt(input_size=size, **options)
