"""Each family of networks overfits a small batch, which a miswired one would not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from poselab.heatmaps import gaussians
from poselab.losses.heatmaps import HeatmapLoss
from poselab.losses.stages import EveryStage
from poselab.methods.cpm.network import CpmHead, CpmTowers
from poselab.methods.cpn.network import CpnHead, CpnNeck
from poselab.methods.hourglass.network import HourglassHead, HourglassStem
from poselab.models.backbones import LiteHRNet, PlainViT, TinyResNet
from poselab.models.heads import HeatmapHead
from poselab.models.necks import BilinearNeck, DeconvNeck, HighestResolution
from poselab.models.pose_net import PoseNet
from poselab.outputs import HeatmapTarget, stages

SIZE, K = (64, 64), 3


def hourglass() -> PoseNet:
    backbone = HourglassStem(input_size=SIZE, width=16)
    head = HourglassHead(
        feature_info=backbone.feature_info, channels=K, stacks=2, width=16, depth=2
    )
    return PoseNet(
        backbone=backbone, neck=HighestResolution(feature_info=backbone.feature_info), head=head
    )


def cpm() -> PoseNet:
    backbone = CpmTowers(input_size=SIZE, width=8)
    head = CpmHead(
        feature_info=backbone.feature_info, channels=K, stages=3, width=8, context=4, first=16
    )
    return PoseNet(
        backbone=backbone, neck=HighestResolution(feature_info=backbone.feature_info), head=head
    )


def cpn() -> PoseNet:
    backbone = TinyResNet(input_size=SIZE, widths=(8, 16, 16), stem=8)
    neck = CpnNeck(feature_info=backbone.feature_info, channels=16)
    return PoseNet(
        backbone=backbone, neck=neck, head=CpnHead(feature_info=neck.feature_info, channels=K)
    )


def vitpose(neck: Callable[..., nn.Module], **options: int) -> PoseNet:
    backbone = PlainViT(input_size=SIZE, name="vit_tiny_patch16_224")
    shaped = neck(feature_info=backbone.feature_info, **options)
    return PoseNet(
        backbone=backbone,
        neck=shaped,
        head=HeatmapHead(feature_info=shaped.feature_info, channels=K),
    )


def classic() -> PoseNet:
    return vitpose(DeconvNeck, layers=2, channels=32)


def simple() -> PoseNet:
    return vitpose(BilinearNeck)


def lite_hrnet() -> PoseNet:
    backbone = LiteHRNet(input_size=SIZE, modules=(1, 1, 1), width=32)
    neck = HighestResolution(feature_info=backbone.feature_info)
    return PoseNet(
        backbone=backbone, neck=neck, head=HeatmapHead(feature_info=neck.feature_info, channels=K)
    )


def batch(stride: int) -> tuple[Tensor, HeatmapTarget]:
    """Coloured spots on black, and the heatmaps of where they are."""
    points = 8 + 48 * torch.rand(8, K, 2)
    images = gaussians(points, SIZE, 4.0, biased=False)
    size = (SIZE[0] // stride, SIZE[1] // stride)
    cells = (points + 0.5) / stride - 0.5
    return 4 * images, HeatmapTarget(
        gaussians(cells, size, 8 / stride, biased=False), torch.ones(1)
    )


@pytest.mark.parametrize("family", [hourglass, cpm, cpn, classic, simple, lite_hrnet])
def test_every_stage_learns(family: Callable[[], PoseNet]) -> None:
    torch.manual_seed(0)
    net = family()
    images, target = batch(net.neck.feature_info[-1].reduction)
    loss, optimizer = EveryStage(HeatmapLoss), torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        torch.stack(list(loss(net(images), target).values())).sum().backward()
        optimizer.step()
    # Whoever does not look at the image does no better than the mean over the batch.
    blind = HeatmapLoss()(target.heatmaps.mean(0, keepdim=True).expand_as(target.heatmaps), target)[
        "heatmaps"
    ]
    left = [HeatmapLoss()(stage, target)["heatmaps"] / blind for stage in stages(net(images))]
    assert max(left) < 0.6, [f"{part:.3f}" for part in left]
