"""Necks and heads: shapes, hand-computed values, and a gradient for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from poselab.methods.associative_embedding.head import TaggedHead
from poselab.methods.integral.head import SoftArgmaxHead
from poselab.models.backbones import TinyResNet
from poselab.models.feature_info import FeatureInfo
from poselab.models.heads import HeatmapHead, RegressionHead
from poselab.models.necks import DeconvNeck, FuseNeck, HighestResolution, LastFeature
from poselab.models.pose_net import PoseNet
from poselab.outputs import Coordinates, TaggedHeatmaps
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURES = (FeatureInfo(8, 4), FeatureInfo(16, 8), FeatureInfo(24, 16))
K = 5


def random_features(
    feature_info: tuple[FeatureInfo, ...], size: tuple[int, int] = (64, 48)
) -> list[torch.Tensor]:
    return [torch.randn(2, c, size[0] // r, size[1] // r) for c, r in feature_info]


def one_channel(layer: nn.Module, weight: float) -> None:
    """Make a 1×1 convolution multiply by one number."""
    assert isinstance(layer, nn.Conv2d)
    nn.init.constant_(layer.weight, weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


# ---- necks ---------------------------------------------------------------------------------------


def test_selecting_necks_pass_on_what_they_report() -> None:
    features = random_features(FEATURES)
    last, first = LastFeature(feature_info=FEATURES), HighestResolution(feature_info=FEATURES)
    assert last.feature_info == FEATURES[-1:]
    assert last(features)[0] is features[-1]
    assert first.feature_info == FEATURES[:1]
    assert first(features)[0] is features[0]


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize(("layers", "reduction"), [(1, 8), (2, 4), (4, 1)])
def test_each_deconvolution_halves_the_reduction(kernel: int, layers: int, reduction: int) -> None:
    neck = DeconvNeck(feature_info=FEATURES, layers=layers, channels=6, kernel=kernel)
    assert neck.feature_info == (FeatureInfo(6, reduction),)
    assert neck(random_features(FEATURES))[0].shape == (2, 6, 64 // reduction, 48 // reduction)


def test_deconvolution_keeps_positions_flip_symmetric() -> None:
    neck = DeconvNeck(feature_info=FEATURES, layers=2, channels=4).eval()
    for module in neck.modules():
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight)
            module.weight.data += module.weight.data.flip(-1)
    features = random_features(FEATURES)
    flipped = neck([x.flip(-1) for x in features])[0]
    torch.testing.assert_close(flipped.flip(-1), neck(features)[0])


@pytest.mark.parametrize("options", [{"kernel": 5}, {"layers": 5}, {"layers": 0}])
def test_impossible_deconvolutions_raise(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected neck"):
        DeconvNeck(feature_info=FEATURES, **options)


def test_fusing_adds_upsampled_features() -> None:
    feature_info = (FeatureInfo(1, 4), FeatureInfo(1, 8), FeatureInfo(1, 16))
    neck = FuseNeck(feature_info=feature_info, channels=1).eval()
    for weight, lateral in zip((1.0, 10.0, 100.0), neck.laterals, strict=True):
        one_channel(lateral, weight)
    neck.smooth = nn.Identity()
    coarse = torch.tensor([[[[1.0, 2.0]]]])
    features = [torch.full((1, 1, 4, 8), 3.0), torch.full((1, 1, 2, 4), 2.0), coarse]
    row = torch.tensor([123.0] * 4 + [223.0] * 4)
    assert torch.equal(neck(features)[0], row.expand(1, 1, 4, 8))


def test_fusing_stops_at_the_wanted_reduction() -> None:
    neck = FuseNeck(feature_info=FEATURES, channels=6, reduction=8)
    assert neck.feature_info == (FeatureInfo(6, 8),)
    assert neck(random_features(FEATURES))[0].shape == (2, 6, 8, 6)
    with pytest.raises(InputError, match=r"out of \[4, 8, 16\], got 2"):
        FuseNeck(feature_info=FEATURES, reduction=2)


# ---- heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 3])
def test_heatmaps_start_near_zero(kernel: int) -> None:
    head = HeatmapHead(feature_info=FEATURES, channels=K, kernel=kernel)
    output = head(random_features(FEATURES))
    assert output.shape == (2, K, 4, 3)
    assert output.abs().max() < 0.1


def test_regression_starts_at_the_centre_and_reads_the_mean() -> None:
    head = RegressionHead(feature_info=FEATURES, channels=K)
    features = random_features(FEATURES)
    output = head(features)
    assert isinstance(output, Coordinates)
    assert output.xy.shape == (2, K, 2)
    assert output.xy.abs().max() < 0.5
    assert torch.equal(output.confidence, torch.ones(2, K))
    shuffled = features[-1].flatten(2)[..., torch.randperm(12)].view_as(features[-1])
    torch.testing.assert_close(head([shuffled]).xy, output.xy)


def test_integral_reads_the_peak_and_how_sharp_it_is() -> None:
    head = SoftArgmaxHead(feature_info=(FeatureInfo(1, 4),), channels=1, temperature=0.5)
    one_channel(head.final_layer, 1.0)
    logits = torch.zeros(2, 1, 8, 10)
    logits[0, 0, 2, 7] = 50.0
    output = head([logits])
    torch.testing.assert_close(output.xy[0, 0], torch.tensor([7.5 / 10 - 0.5, 2.5 / 8 - 0.5]))
    torch.testing.assert_close(output.xy[1, 0], torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(output.confidence[:, 0], torch.tensor([1.0, 9 / 80]))
    assert not output.confidence.requires_grad


def test_temperature_divides_the_logits() -> None:
    features = [torch.randn(1, 1, 4, 4)]
    warm = SoftArgmaxHead(feature_info=(FeatureInfo(1, 4),), channels=1, temperature=2.0)
    cold = SoftArgmaxHead(feature_info=(FeatureInfo(1, 4),), channels=1)
    one_channel(warm.final_layer, 3.0)
    one_channel(cold.final_layer, 1.5)
    torch.testing.assert_close(warm(features)[:2], cold(features)[:2])  # positions and confidence


def test_tags_follow_the_heatmaps() -> None:
    head = TaggedHead(feature_info=FEATURES, channels=K, tags=2)
    features = random_features(FEATURES)
    output = head(features)
    assert isinstance(output, TaggedHeatmaps)
    assert output.heatmaps.shape == (2, K, 4, 3)
    assert output.tags.shape == (2, 2, K, 4, 3)
    raw = head.final_layer(features[-1])
    assert torch.equal(output.tags[:, 1, 3], raw[:, K + K + 3])
    assert output.tags.std() > 10 * output.heatmaps.std()


# ---- the whole -----------------------------------------------------------------------------------

NECKS: dict[str, Callable[..., Any]] = {"last": LastFeature, "deconv": DeconvNeck, "fuse": FuseNeck}
HEADS: dict[str, Callable[..., Any]] = {
    "heatmap": HeatmapHead,
    "regression": RegressionHead,
    "integral": SoftArgmaxHead,
    "tagged": TaggedHead,
}


def pose_net(neck: str, head: str) -> PoseNet:
    backbone = TinyResNet(input_size=(64, 64), widths=(8, 16, 24))
    shaped = NECKS[neck](feature_info=backbone.feature_info)
    return PoseNet(
        backbone=backbone,
        neck=shaped,
        head=HEADS[head](feature_info=shaped.feature_info, channels=K),
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("neck", NECKS)
def test_every_parameter_of_a_pose_net_receives_a_gradient(neck: str, head: str) -> None:
    net = pose_net(neck, head)
    output = net(torch.randn(2, 3, 64, 64))
    parts = output if isinstance(output, tuple) else (output,)
    sum((part * torch.randn_like(part)).sum() for part in parts).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
    assert any(p.grad.abs().sum() > 0 for p in net.backbone.parameters())


def test_layout_in_memory_does_not_change_the_output() -> None:
    net = pose_net("fuse", "heatmap").eval()
    images = torch.randn(2, 3, 64, 64)
    plain = net.head(net.neck(net.backbone.to(memory_format=torch.contiguous_format)(images)))
    torch.testing.assert_close(net(images), plain)
