"""ViTPose's transformer and Lite-HRNet against their papers' sizes and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch.nn import functional

from poselab.models.backbones import LiteHRNet, PlainViT
from poselab.models.backbones.lite_hrnet import _Module, _shuffled
from poselab.models.backbones.plain_vit import fitted
from poselab.models.cost import network_cost
from poselab.models.feature_info import FeatureInfo
from poselab.models.heads import HeatmapHead
from poselab.models.necks import BilinearNeck, DeconvNeck, HighestResolution
from poselab.models.pose_net import PoseNet
from poselab.structures import InputError

SIZE, TINY = (256, 192), "vit_tiny_patch16_224"


def decoded(backbone: Any, neck: Any, kernel: int = 1) -> PoseNet:
    head = HeatmapHead(feature_info=neck.feature_info, channels=17, kernel=kernel)
    return PoseNet(backbone=backbone, neck=neck, head=head)


def vitpose(name: str, simple: bool, size: tuple[int, int] = SIZE, **options: Any) -> PoseNet:
    backbone = PlainViT(input_size=size, name=name, **options)
    if simple:
        return decoded(backbone, BilinearNeck(feature_info=backbone.feature_info), 3)
    return decoded(backbone, DeconvNeck(feature_info=backbone.feature_info, layers=2))


def lite(size: tuple[int, int], modules: tuple[int, ...] = (2, 4, 2), width: int = 40) -> PoseNet:
    backbone = LiteHRNet(input_size=size, modules=modules, width=width)
    return decoded(backbone, HighestResolution(feature_info=backbone.feature_info))


def idle(net: torch.nn.Module) -> list[str]:
    return [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]


# ---- ViTPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "heads", "classic", "simple"),
    [
        ("vit_small_patch16_224", 12, 24.29, 21.72),
        ("vit_base_patch16_224.mae", None, 89.99, 85.91),
        ("vit_large_patch16_224.mae", None, 308.54, 303.45),
        ("vit_huge_patch14_224.mae", None, 637.21, 631.11),
    ],
)
def test_vitpose_has_the_published_parameters(
    name: str, heads: int | None, classic: float, simple: float
) -> None:
    """Millions; the published checkpoints' position embeddings have one token more, the class's."""
    for published, is_simple in ((classic, False), (simple, True)):
        with torch.device("meta"):
            net = vitpose(name, is_simple, heads=heads)
        found = sum(p.numel() for p in net.parameters()) / 1e6
        assert found == pytest.approx(published, abs=0.005)


def test_vitpose_b_costs_what_was_published() -> None:
    """17.1 in the paper; as there, 10⁹ is 2³⁰ and attention's products are counted."""
    with torch.device("meta"):
        net = vitpose("vit_base_patch16_224.mae", simple=False)
    assert network_cost(net, SIZE).gmacs * 1e9 / 2**30 == pytest.approx(17.1, abs=0.2)


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (96, 160)])
@pytest.mark.parametrize("simple", [True, False])
def test_random_features_vitpose_have_stride_four(size: tuple[int, int], simple: bool) -> None:
    net = vitpose(TINY, simple, size)
    output = net(torch.randn(2, 3, *size))
    assert output.shape == (2, 17, size[0] // 4, size[1] // 4)
    output.square().sum().backward()
    assert idle(net) == []


def test_tokens_are_patches_of_twenty_pixels_padding_included() -> None:
    backbone = PlainViT(input_size=(64, 48), name=TINY).eval()
    images = torch.randn(2, 3, 64, 48)
    net = backbone.net
    conv = net.patch_embed.proj
    x = functional.conv2d(functional.pad(images, (2, 2, 2, 2)), conv.weight, conv.bias, stride=16)
    x = x.flatten(2).mT + net.pos_embed
    for block in net.blocks:
        x = block(x)
    expected = net.norm(x).mT.unflatten(-1, (4, 3))
    assert backbone.feature_info == (FeatureInfo(192, 16),)
    torch.testing.assert_close(backbone(images)[0], expected)


def test_drop_path_rises_with_depth_and_is_off_in_evaluation() -> None:
    torch.manual_seed(0)
    backbone = PlainViT(input_size=(32, 32), name=TINY, drop_path=0.5)
    images = torch.randn(4, 3, 32, 32)
    assert not torch.equal(backbone(images)[0], backbone(images)[0])
    backbone.eval()
    assert torch.equal(backbone(images)[0], backbone(images)[0])
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in backbone.net.blocks]
    assert rates == pytest.approx([0.5 * i / 11 for i in range(12)])


def test_weights_with_a_class_token_and_another_size_are_fitted(tmp_path: Path) -> None:
    source = timm.create_model(TINY)
    file = tmp_path / "vit.pth"
    torch.save({"model": source.state_dict()}, file)
    backbone = PlainViT(input_size=(224, 224), name=TINY, weights=str(file))
    position = source.pos_embed[:, 1:] + source.pos_embed[:, :1]
    torch.testing.assert_close(backbone.net.pos_embed, position)
    wide = PlainViT(input_size=(128, 256), name=TINY, weights=str(file))
    assert torch.equal(wide.net.blocks[3].attn.qkv.weight, source.blocks[3].attn.qkv.weight)
    grid = position.unflatten(1, (14, 14))[0].permute(2, 0, 1)[None]
    resized = functional.interpolate(grid, (8, 16), mode="bicubic", antialias=True)
    torch.testing.assert_close(wide.net.pos_embed, resized.flatten(2).mT)


def test_positions_of_the_same_grid_are_not_resampled() -> None:
    net = PlainViT(input_size=(64, 48), name=TINY).net
    state = dict(net.state_dict())
    assert torch.equal(fitted(state, net)["pos_embed"], state["pos_embed"])
    state["pos_embed"] = torch.randn(1, 13, 192)  # 4×3 patches and the class token
    expected = state["pos_embed"][:, 1:] + state["pos_embed"][:, :1]
    torch.testing.assert_close(fitted(state, net)["pos_embed"], expected)


def test_patch_kernels_are_fitted() -> None:
    net = PlainViT(input_size=(32, 32), name=TINY).net
    state = dict(net.state_dict())
    state["patch_embed.proj.weight"] = torch.ones(192, 3, 14, 14)
    kernel = fitted(state, net)["patch_embed.proj.weight"]
    assert kernel.shape == (192, 3, 16, 16)
    # A patch that is enlarged with the kernel keeps its embedding.
    small = torch.rand(1, 3, 14, 14)
    large = functional.interpolate(small, (16, 16), mode="bicubic", antialias=True)
    torch.testing.assert_close((kernel[0] * large).sum(), small.sum(), rtol=1e-3, atol=0)


def test_what_is_no_plain_transformer_raises() -> None:
    with pytest.raises(InputError, match="plain vision transformer of timm, got 'resnet18'"):
        PlainViT(input_size=(64, 64), name="resnet18")
    with pytest.raises(InputError, match="multiples of 16"):
        PlainViT(input_size=(100, 64), name=TINY)


def test_the_simple_decoder_is_relu_and_bilinear() -> None:
    neck = BilinearNeck(feature_info=(FeatureInfo(1, 16),), scale=2)
    assert neck.feature_info == (FeatureInfo(1, 8),)
    found = neck([torch.tensor([[[[-4.0, 8.0]]]])])[0]
    assert torch.equal(found, torch.tensor([0.0, 2.0, 6.0, 8.0]).expand(1, 1, 2, 4))
    with pytest.raises(InputError, match=r"neck\.scale to divide a reduction of 16, got 3"):
        BilinearNeck(feature_info=(FeatureInfo(1, 16),), scale=3)


# ---- Lite-HRNet ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "millions", "mega_macs"), [((2, 4, 2), 1.1, 205.2), ((3, 8, 3), 1.8, 319.2)]
)
def test_lite_hrnet_costs_what_was_published(
    modules: tuple[int, ...], millions: float, mega_macs: float
) -> None:
    """Theirs counts norms, pooling and activations too, and a repeated path: 3 % more than ours."""
    with torch.device("meta"):
        found = network_cost(lite(SIZE, modules), SIZE)
    assert found.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert 0.96 < found.gmacs * 1e3 / mega_macs < 1.0


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (64, 160)])
def test_random_features_lite_hrnet_have_stride_four(size: tuple[int, int]) -> None:
    net = lite(size, (1, 1, 1), 32)
    output = net(torch.randn(4, 3, *size))
    assert output.shape == (4, 17, size[0] // 4, size[1] // 4)
    output.square().sum().backward()
    assert idle(net) == []


def test_shuffling_takes_channels_in_turn() -> None:
    first, second = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    expected = functional.channel_shuffle(torch.cat((first, second), 1), 2)
    assert torch.equal(_shuffled(first, second), expected)


def test_the_authors_fusion_counts_the_finest_branch_twice_and_passes_its_sum_on() -> None:
    module = _Module([8, 16], authors_fusion=True).eval()
    module.blocks = torch.nn.Identity()
    fine, coarse = torch.rand(1, 8, 8, 8), torch.rand(1, 16, 4, 4)
    down, up = module.paths[1][0], module.paths[0][1]
    raised = up(coarse).repeat_interleave(2, -1).repeat_interleave(2, -2)
    finest = 2 * fine + raised
    expected = [finest.relu(), (coarse + 2 * down(finest)).relu()]
    torch.testing.assert_close(module([fine, coarse]), expected)


def test_a_fusion_adds_every_branch_once() -> None:
    module = _Module([8, 16], authors_fusion=False).eval()
    module.blocks = torch.nn.Identity()
    fine, coarse = torch.rand(1, 8, 8, 8), torch.rand(1, 16, 4, 4)
    outputs = module([fine, coarse])
    down, up = module.paths[1][0], module.paths[0][1]
    raised = up(coarse).repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(outputs[0], (fine + raised).relu())
    torch.testing.assert_close(outputs[1], (coarse + down(fine)).relu())


@pytest.mark.parametrize(
    "options", [{"modules": (2, 4)}, {"modules": (0, 1, 1)}, {"size": (48, 64)}]
)
def test_impossible_lite_hrnets_raise(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"three numbers of backbone\.modules"):
        LiteHRNet(
            input_size=options.get("size", (64, 64)), modules=options.get("modules", (1, 1, 1))
        )
