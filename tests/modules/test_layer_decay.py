"""Learning rates by layer, worked out by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from networks import BlockMeans
from torch import nn

from poselab.codecs.heatmap import HeatmapCodec
from poselab.losses.heatmaps import HeatmapLoss
from poselab.models.backbones import PlainViT
from poselab.models.heads import HeatmapHead
from poselab.models.necks import BilinearNeck
from poselab.models.pose_net import PoseNet
from poselab.modules import HeatmapRegression
from poselab.skeletons import COCO17
from poselab.structures import InputError
from poselab.training.layer_decay import layer_decay
from poselab.training.schedules import multi_step

ADAMW = partial(torch.optim.AdamW, lr=0.5, weight_decay=0.1)


def vit_net() -> PoseNet:
    backbone = PlainViT(input_size=(32, 32), name="vit_tiny_patch16_224")
    neck = BilinearNeck(feature_info=backbone.feature_info)
    return PoseNet(
        backbone=backbone, neck=neck, head=HeatmapHead(feature_info=neck.feature_info, channels=17)
    )


def settings(net: nn.Module, **options: Any) -> dict[str, tuple[float, float]]:
    """Name → (learning rate, weight decay)."""
    made = layer_decay(net.named_parameters(), ADAMW, **options)
    return {
        name: (group["lr"], group["weight_decay"])
        for group in made.param_groups
        for name in group["param_names"]
    }


def test_rates_fall_from_the_head_down() -> None:
    net = vit_net()  # twelve blocks
    made = settings(net, rate=0.75)
    assert set(made) == {name for name, _ in net.named_parameters()}
    rate = {name: lr for name, (lr, _) in made.items()}
    assert rate["head.final_layer.weight"] == 0.5
    assert rate["backbone.net.norm.weight"] == 0.5
    assert rate["backbone.net.blocks.11.attn.qkv.weight"] == pytest.approx(0.5 * 0.75)
    assert rate["backbone.net.blocks.10.mlp.fc1.bias"] == pytest.approx(0.5 * 0.75**2)
    assert rate["backbone.net.blocks.0.norm1.weight"] == pytest.approx(0.5 * 0.75**12)
    for name in ("patch_embed.proj.weight", "patch_embed.proj.bias", "pos_embed"):
        assert rate[f"backbone.net.{name}"] == pytest.approx(0.5 * 0.75**13)


def test_vectors_and_positions_do_not_decay() -> None:
    decay = {name: decay for name, (_, decay) in settings(vit_net()).items()}
    assert decay["backbone.net.blocks.3.attn.qkv.weight"] == 0.1
    assert decay["backbone.net.patch_embed.proj.weight"] == 0.1
    assert decay["head.final_layer.weight"] == 0.1
    assert decay["backbone.net.pos_embed"] == 0
    for name, parameter in vit_net().named_parameters():
        assert (decay[name] == 0) == (parameter.ndim == 1 or "pos_embed" in name)


def test_a_network_without_blocks_learns_at_one_rate() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert {lr for lr, _ in settings(net, rate=0.5).values()} == {0.5}


def test_what_is_frozen_is_left_out() -> None:
    net = vit_net()
    net.backbone.requires_grad_(False)
    assert set(settings(net)) == {"head.final_layer.weight", "head.final_layer.bias"}


@pytest.mark.parametrize("rate", [0.0, 1.1])
def test_rates_outside_0_to_1_are_errors(rate: float) -> None:
    with pytest.raises(InputError, match=r"optimizer\.rate above 0"):
        settings(vit_net(), rate=rate)


def test_the_schedule_scales_every_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = HeatmapCodec(skeleton=COCO17, input_size=(32, 32), stride=4, sigma=1.0)
    module = HeatmapRegression(
        *(vit_net(), codec, HeatmapLoss()),
        optimizer=partial(layer_decay, optimizer=ADAMW, rate=0.75),
        schedule=partial(multi_step, milestones=[0.5], gamma=0.1),
    )
    module._trainer = type("T", (), {"max_epochs": 2, "estimated_stepping_batches": 2})()  # type: ignore[assignment]
    made = module.configure_optimizers()
    before = [group["lr"] for group in made["optimizer"].param_groups]
    assert len(set(before)) == 14
    made["optimizer"].step()
    made["lr_scheduler"]["scheduler"].step()
    after = [group["lr"] for group in made["optimizer"].param_groups]
    assert after == pytest.approx([0.1 * lr for lr in before])


def test_names_change_nothing_for_a_plain_optimiser() -> None:
    values = []
    for named in (False, True):
        torch.manual_seed(0)
        net = BlockMeans()
        made = ADAMW(net.named_parameters() if named else net.parameters())
        for _ in range(3):
            made.zero_grad()
            net(torch.rand(1, 3, 8, 8)).square().sum().backward()
            made.step()
        values.append(net.gain.detach())
    assert torch.equal(*values)
