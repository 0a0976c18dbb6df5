"""Hourglass, CPM and CPN: wiring, shapes, sizes of the papers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from poselab.losses.heatmaps import HeatmapLoss
from poselab.losses.stages import EveryStage
from poselab.methods.cpm.network import CpmHead, CpmTowers
from poselab.methods.cpn.network import Bottleneck, CpnHead, CpnNeck
from poselab.methods.hourglass.network import Hourglass, HourglassHead, HourglassStem
from poselab.models.backbones import TimmBackbone, TinyResNet
from poselab.models.cost import network_cost
from poselab.models.feature_info import FeatureInfo
from poselab.models.necks import HighestResolution
from poselab.models.pose_net import PoseNet
from poselab.outputs import HeatmapTarget, Stages
from poselab.structures import InputError

K = 5


def net_of(backbone: Any, neck: Any, head: Any, channels: int = K, **options: Any) -> PoseNet:
    shaped = neck(feature_info=backbone.feature_info)
    head = head(feature_info=shaped.feature_info, channels=channels, **options)
    return PoseNet(backbone=backbone, neck=shaped, head=head)


def hourglass(size: tuple[int, int], **options: Any) -> PoseNet:
    return net_of(HourglassStem(input_size=size), HighestResolution, HourglassHead, **options)


def cpm(size: tuple[int, int], width: int = 128, **options: Any) -> PoseNet:
    return net_of(CpmTowers(input_size=size, width=width), HighestResolution, CpmHead, **options)


def cpn(size: tuple[int, int], name: str = "resnet18", **options: Any) -> PoseNet:
    return net_of(TimmBackbone(input_size=size, name=name), CpnNeck, CpnHead, **options)


def narrow(family: str, size: tuple[int, int] = (64, 64)) -> PoseNet:
    if family == "hourglass":
        return hourglass(size, stacks=3, width=8, depth=2)
    if family == "cpm":
        return cpm(size, width=8, stages=3, context=4, first=8)
    backbone = TinyResNet(input_size=size, widths=(8, 8, 8), stem=8)
    return net_of(
        backbone, lambda feature_info: CpnNeck(feature_info=feature_info, channels=8), CpnHead
    )


# family → (stages of the narrow network, reduction)
FAMILIES = {"hourglass": (3, 4), "cpm": (3, 8), "cpn": (4, 4)}


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (64, 192)])
@pytest.mark.parametrize("family", FAMILIES)
def test_stages_and_strides(family: str, size: tuple[int, int]) -> None:
    net = narrow(family, size)
    count, stride = FAMILIES[family]
    output = net(torch.rand(2, 3, *size))
    assert isinstance(output, Stages)
    assert net.neck.feature_info[-1].reduction == stride
    assert [x.shape for x in output.each] == [(2, K, size[0] // stride, size[1] // stride)] * count


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_receives_a_gradient(family: str) -> None:
    net = narrow(family)
    output = net(torch.randn(2, 3, 64, 64))
    target = HeatmapTarget(torch.rand_like(output.each[-1]), torch.ones(1))
    torch.stack(list(EveryStage(HeatmapLoss)(output, target).values())).sum().backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stacks", [1, 2, 4, 8])
def test_hourglasses_are_as_large_as_their_layers_by_hand(stacks: int) -> None:
    residual = 2 * (256 + 128 + 128) + (256 + 1) * 128 + (128 * 9 + 1) * 128 + (128 + 1) * 256
    hands_on = (256 + 1) * 256 + (17 + 1) * 256
    stage = 14 * residual + 256 * 256 + 2 * 256 + (256 + 1) * 17
    found = [sum(p.numel() for p in hourglass((64, 64), channels=17, stacks=n).parameters())
             for n in (stacks, stacks + 1)]  # fmt: skip
    assert found[1] - found[0] == stage + hands_on


def test_published_sizes() -> None:
    """Millions of parameters with 17 keypoints, as HRNet's table 1 prints them.

    Its 25.1 for eight hourglasses is not met to the digit; the network of the authors' own PyTorch
    code, without the layers it never uses, has the 25.4 found here. CPM's was not published.
    """
    with torch.device("meta"):
        nets = {
            "hourglass": hourglass((256, 192), channels=17),
            "cpm": cpm((256, 192), channels=17),
            "cpn": cpn((256, 192), "resnet50", channels=17),
        }
    found = {name: network_cost(net, (256, 192)).parameters / 1e6 for name, net in nets.items()}
    assert found["hourglass"] == pytest.approx(25.44, abs=0.005)
    assert found["hourglass"] == pytest.approx(25.1, rel=0.02)
    assert found["cpn"] == pytest.approx(27.0, abs=0.05)
    assert found["cpm"] == pytest.approx(31.3, abs=0.05)


# ---- wiring --------------------------------------------------------------------------------------


def touched(net: PoseNet, stage: int) -> set[str]:
    """The parts of a network that one stage's output depends on, two names deep."""
    net.zero_grad()
    net(torch.randn(2, 3, 64, 64)).each[stage].square().sum().backward()
    moved = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    return {".".join(name.split(".")[:3]) for name in moved}


def test_an_hourglass_passes_on_features_and_heatmaps() -> None:
    net = narrow("hourglass")
    assert "head.stages.1" not in touched(net, 0)
    assert "head.from_heatmaps.0" not in touched(net, 0)
    assert {"head.stages.0", "head.from_features.0", "head.from_heatmaps.0"} <= touched(net, 1)
    assert {"head.stages.1", "head.from_heatmaps.1", "head.enter.layers"} <= touched(net, 2)


def test_a_pose_machine_sees_the_image_again() -> None:
    net = narrow("cpm")
    assert touched(net, 0) == {"backbone.towers.0", *(f"head.first.{i}" for i in range(4))}
    later = touched(net, 2)
    assert {"backbone.towers.0", "backbone.towers.1", "head.stages.0", "head.contexts.1"} <= later


def test_the_pyramid_refines_from_all_levels() -> None:
    net = narrow("cpn")
    assert "neck.laterals.2" not in touched(net, 0)  # the coarsest level's own heatmaps
    assert {f"neck.laterals.{level}" for level in range(3)} <= touched(net, 3)
    assert not any(name.startswith("head.levels") for name in touched(net, 3))
    counts = [sum(isinstance(x, Bottleneck) for x in branch) for branch in net.head.refine]
    assert counts == [2, 1, 0]


def test_an_hourglass_adds_what_was_and_what_comes_back_up() -> None:
    net = Hourglass(depth=2, width=2)
    for part in (net.skip, net.down, net.up, net.inner.skip, net.inner.down, net.inner.up):
        part[0] = nn.Identity()
    net.inner.inner[0] = nn.Identity()
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 2, 4, 4)
    low = torch.tensor([[5.0, 7.0], [13.0, 15.0]]) + 15  # maxima of 2×2, plus the maximum of all
    expected = x[0, 0] + low.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(net(x), expected.expand(1, 2, 4, 4))


def test_the_pyramid_adds_upsampled_levels_coarse_to_fine() -> None:
    neck = CpnNeck(feature_info=(FeatureInfo(1, 4), FeatureInfo(1, 8)), channels=1)
    for level, weight in enumerate((10.0, 1.0)):
        neck.laterals[level] = _Times(weight)
    neck.ascents[0] = _Times(100.0)
    coarse, fine = neck([torch.full((1, 1, 4, 4), 3.0), torch.full((1, 1, 2, 2), 2.0)])
    assert [feature.reduction for feature in neck.feature_info] == [8, 4]
    assert torch.equal(coarse, torch.full((1, 1, 2, 2), 20.0))
    assert torch.equal(fine, torch.full((1, 1, 4, 4), 2003.0))


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


# ---- what does not fit ---------------------------------------------------------------------------


def test_what_does_not_fit_raises() -> None:
    with pytest.raises(
        InputError, match=r"multiples of 16 for hourglasses of depth 4, got \(24, 24"
    ):
        hourglass((96, 96), stacks=1, width=8)(torch.rand(1, 3, 96, 96))
    with pytest.raises(InputError, match="stacks, depth and blocks of 1 or more, got 0, 4, 1"):
        hourglass((64, 64), stacks=0)
    with pytest.raises(InputError, match="multiples of 8, got"):
        CpmTowers(input_size=(60, 64))
    with pytest.raises(InputError, match="even number of channels, got 2 on 7"):
        CpmHead(feature_info=(FeatureInfo(7, 4),), channels=K, stages=2)
    with pytest.raises(InputError, match="several features for a pyramid, got 1"):
        CpnNeck(feature_info=(FeatureInfo(8, 4),))
