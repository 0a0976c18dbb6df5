"""Parameters and multiply-adds against the papers' tables."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from poselab.models.backbones import TimmBackbone, TinyResNet
from poselab.models.cost import network_cost
from poselab.models.feature_info import FeatureInfo
from poselab.models.heads import HeatmapHead, RegressionHead
from poselab.models.necks import DeconvNeck, FuseNeck, HighestResolution, LastFeature
from poselab.models.pose_net import PoseNet

SIZE = (256, 192)


def net_of(backbone: Any, neck: Any, head: Any) -> PoseNet:
    shaped = neck(feature_info=backbone.feature_info)
    return PoseNet(
        backbone=backbone, neck=shaped, head=head(feature_info=shaped.feature_info, channels=17)
    )


def as_hrnet_counts(net: PoseNet, gmacs: float) -> float:
    """Multiply-adds the way HRNet's code and paper count them.

    They divide by 2^30 and charge a transposed convolution of stride two for every output cell,
    four times what it does.
    """
    extra, cells = 0, (SIZE[0] // 32) * (SIZE[1] // 32)
    for layer in net.neck.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            extra += 3 * cells * layer.weight.numel()
            cells *= 4
    return (gmacs * 1e9 + extra) / 2**30


@pytest.mark.parametrize(
    ("name", "millions", "published"),
    [
        ("resnet50", 34.0, 8.9),
        ("resnet101", 53.0, 12.4),
        ("resnet152", 68.6, 15.7),
        ("hrnet_w32", 28.5, 7.1),
        ("hrnet_w48", 63.6, 14.6),
    ],
)
def test_heatmap_networks_cost_what_was_published(
    name: str, millions: float, published: float
) -> None:
    hrnet = name.startswith("hrnet")
    backbone = TimmBackbone(input_size=SIZE, name=name, reductions=[4] if hrnet else None)
    net = net_of(backbone, HighestResolution if hrnet else DeconvNeck, HeatmapHead)
    found = network_cost(net, SIZE)
    assert found.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert as_hrnet_counts(net, found.gmacs) == pytest.approx(published, abs=0.1)


def test_direct_regression_costs_what_was_published() -> None:
    net = net_of(TimmBackbone(input_size=SIZE, name="resnet50"), LastFeature, RegressionHead)
    found = network_cost(net, SIZE)
    assert found.parameters / 1e6 == pytest.approx(23.6, abs=0.05)
    assert found.gmacs == pytest.approx(4.0, abs=0.05)


def test_a_layer_counted_by_hand() -> None:
    net = HeatmapHead(feature_info=(FeatureInfo(3, 1),), channels=5, kernel=3)
    found = network_cost(nn.ModuleDict({"net": net})["net"].requires_grad_(False), (8, 6))
    assert found.parameters == 3 * 5 * 9 + 5
    assert found.gmacs == pytest.approx(8 * 6 * 3 * 5 * 9 / 1e9)


def test_counting_changes_nothing() -> None:
    net = net_of(TinyResNet(input_size=(64, 64)), FuseNeck, HeatmapHead).train()
    net.backbone.stem.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first = network_cost(net, (64, 64))
    assert net.training
    assert not net.backbone.stem.training  # type: ignore[union-attr]
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert network_cost(net, (64, 64)) == first
    assert network_cost(net, (128, 64)).gmacs == pytest.approx(2 * first.gmacs)
