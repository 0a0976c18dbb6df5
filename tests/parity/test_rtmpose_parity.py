"""RTMPose's published checkpoints: names, shapes and outputs against an independent computation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import reference_networks
import torch
from torch import Tensor
from torch.nn import functional

from poselab.experiments.pretrained.import_weights import load_weights, pretrained_config
from poselab.experiments.pretrained.models import pretrained_model
from poselab.models.backbones import CSPNeXt
from poselab.skeletons import COCO17
from poselab.structures import InputError

State = dict[str, Tensor]
TOKENS, BINS = 17, {"x": 384, "y": 512}
SIZES = {
    "t": (24, (1, 1, 1, 1)),
    "s": (32, (1, 2, 2, 1)),
    "m": (48, (2, 4, 4, 2)),
    "l": (64, (3, 6, 6, 3)),
}
FACTORS = {"t": (0.167, 0.375), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0)}


def convolutions(size: str) -> Iterator[tuple[str, int, int, int]]:
    """mmpose's name, channels out, channels in (of one group) and kernel of each convolution."""
    first, counts = SIZES[size]
    for n, (out, into) in enumerate(
        ((first // 2, 3), (first // 2, first // 2), (first, first // 2))
    ):
        yield f"stem.{n}", out, into, 3
    for number, count in enumerate(counts, start=1):
        width, stage = first * 2**number, f"stage{number}"
        half, last = width // 2, number == 4
        yield f"{stage}.0", width, width // 2, 3
        if last:
            yield f"{stage}.1.conv1", half, width, 1
            yield f"{stage}.1.conv2", width, 4 * half, 1
        layer = f"{stage}.{2 if last else 1}"
        for name, out, into in (
            ("main_conv", half, width),
            ("short_conv", half, width),
            ("final_conv", width, width),
        ):
            yield f"{layer}.{name}", out, into, 1
        for n in range(count):
            yield f"{layer}.blocks.{n}.conv1", half, half, 3
            yield f"{layer}.blocks.{n}.conv2.depthwise_conv", half, 1, 5
            yield f"{layer}.blocks.{n}.conv2.pointwise_conv", half, half, 1


def backbone_shapes(size: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, out, into, kernel in convolutions(size):
        shapes[f"{name}.conv.weight"] = (out, into, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{part}"] = (out,)
        shapes[f"{name}.bn.num_batches_tracked"] = ()
    for number in range(1, 5):
        width, where = SIZES[size][0] * 2**number, f"stage{number}.{2 if number == 4 else 1}"
        shapes[f"{where}.attention.fc.weight"] = (width, width, 1, 1)
        shapes[f"{where}.attention.fc.bias"] = (width,)
    return shapes


def head_shapes(size: str) -> dict[str, tuple[int, ...]]:
    return {
        "final_layer.weight": (TOKENS, SIZES[size][0] * 16, 7, 7),
        "final_layer.bias": (TOKENS,),
        "mlp.0.g": (1,),
        "mlp.1.weight": (256, 48),
        "gau.ln.g": (1,),
        "gau.uv.weight": (1152, 256),
        "gau.gamma": (2, 128),
        "gau.beta": (2, 128),
        "gau.o.weight": (256, 512),
        "gau.res_scale.scale": (256,),
        "cls_x.weight": (BINS["x"], 256),
        "cls_y.weight": (BINS["y"], 256),
    }


def published(size: str) -> State:
    """A state dict as a checkpoint of mmpose has it, of values that keep outputs in bounds."""
    made = torch.Generator().manual_seed(0)
    shapes = {f"backbone.{name}": shape for name, shape in backbone_shapes(size).items()}
    shapes |= {f"head.{name}": shape for name, shape in head_shapes(size).items()}
    state = {}
    for name, shape in shapes.items():
        fan = max(torch.Size(shape[1:]).numel(), 1)
        state[name] = torch.randn(shape, generator=made) * fan**-0.5 * 1.5
        if name.endswith((".running_var", ".bn.weight", ".g")):
            state[name] = torch.rand(shape, generator=made) + 0.5
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
    return state


def conv(state: State, name: str, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    weight = state[f"{name}.conv.weight"]
    x = functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups)
    mean, var, scale, shift = (
        state[f"{name}.bn.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    x = (x - mean) / (var + 1e-5).sqrt() * scale + shift
    return x * x.sigmoid()


def backbone(state: State, size: str, x: Tensor) -> Tensor:
    for n, stride in enumerate((2, 1, 1)):
        x = conv(state, f"stem.{n}", x, stride)
    for number, count in enumerate(SIZES[size][1], start=1):
        stage = f"stage{number}"
        x = conv(state, f"{stage}.0", x, 2)
        if number == 4:
            x = conv(state, f"{stage}.1.conv1", x)
            pools = [functional.max_pool2d(x, k, stride=1, padding=k // 2) for k in (5, 9, 13)]
            x = conv(state, f"{stage}.1.conv2", torch.cat([x, *pools], 1))
        layer = f"{stage}.{2 if number == 4 else 1}"
        main = conv(state, f"{layer}.main_conv", x)
        for n in range(count):
            block = f"{layer}.blocks.{n}"
            y = conv(state, f"{block}.conv1", main)
            y = conv(state, f"{block}.conv2.depthwise_conv", y, groups=y.shape[1])
            y = conv(state, f"{block}.conv2.pointwise_conv", y)
            main = y if number == 4 else main + y
        both = torch.cat([main, conv(state, f"{layer}.short_conv", x)], 1)
        mixed = both.mean((2, 3)) @ state[f"{layer}.attention.fc.weight"][:, :, 0, 0].T
        gate = ((mixed + state[f"{layer}.attention.fc.bias"] + 3).clamp(0, 6) / 6)[:, :, None, None]
        x = conv(state, f"{layer}.final_conv", both * gate)
    return x


def head(state: State, feature: Tensor) -> tuple[Tensor, Tensor]:
    heatmaps = functional.conv2d(
        feature, state["final_layer.weight"], state["final_layer.bias"], padding=3
    ).flatten(2)

    def unit(x: Tensor, gain: Tensor) -> Tensor:
        return x / (x.square().sum(-1, keepdim=True) / x.shape[-1]).sqrt() * gain

    tokens = unit(heatmaps, state["mlp.0.g"]) @ state["mlp.1.weight"].T
    inner = functional.silu(unit(tokens, state["gau.ln.g"]) @ state["gau.uv.weight"].T)
    gate, value, base = inner.split([512, 512, 128], -1)
    query, key = (base * state["gau.gamma"][n] + state["gau.beta"][n] for n in (0, 1))
    weights = (query @ key.mT / 128**0.5).relu() ** 2
    tokens = (
        tokens * state["gau.res_scale.scale"] + gate * (weights @ value) @ state["gau.o.weight"].T
    )
    return tokens @ state["cls_x.weight"].T, tokens @ state["cls_y.weight"].T


def part(state: State, of: str) -> State:
    return {k.removeprefix(f"{of}."): v for k, v in state.items() if k.startswith(f"{of}.")}


@pytest.mark.parametrize("size", SIZES)
def test_names_and_shapes_are_those_of_mmpose(size: str) -> None:
    deepen, widen = FACTORS[size]
    with torch.device("meta"):
        ours = CSPNeXt(input_size=(256, 192), deepen=deepen, widen=widen).state_dict()
    assert {name: tuple(value.shape) for name, value in ours.items()} == backbone_shapes(size)


@torch.inference_mode()
def test_rtmpose_is_the_same(tmp_path: Path) -> None:
    state = published("t")
    kept = {**state, "ema_backbone_stem_0_conv_weight": torch.zeros(1)}
    torch.save({"state_dict": kept, "ema_state_dict": {}}, tmp_path / "rtmpose-t.pth")
    model = pretrained_model("RTMPose-t")
    module, taken = load_weights(tmp_path / "rtmpose-t.pth", model, *pretrained_config(model))
    assert taken.left_over == ("ema_backbone_stem_0_conv_weight",)
    smooth = torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    images = (functional.interpolate(smooth, (256, 192), mode="bilinear") * 255).to(torch.uint8)

    def theirs(image: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = (
            torch.tensor(v).view(3, 1, 1)
            for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        )
        feature = backbone(part(state, "backbone"), "t", (image.float() - mean) / std)
        return head(part(state, "head"), feature)

    output = module(images)
    for ours, expected in zip(output, theirs(images), strict=True):
        assert expected.std() > 0.1
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.std()))
    names = list(COCO17.flip_index)
    x, y = theirs(images)
    flipped_x, flipped_y = (axis[:, names] for axis in theirs(images.flip(-1)))
    merged = module.flip_tested(output, images)
    scale = float(x.std())
    torch.testing.assert_close(merged.x, (x + flipped_x.flip(-1)) / 2, rtol=1e-4, atol=1e-4 * scale)
    torch.testing.assert_close(merged.y, (y + flipped_y) / 2, rtol=1e-4, atol=1e-4 * scale)
    poses = module.codec.decode(merged)
    places = torch.stack([axis.argmax(-1) / 2 for axis in merged], -1)
    scores = torch.minimum(*(axis.amax(-1) for axis in merged))
    assert torch.equal(poses.keypoints[:, 0], places.where(scores[..., None] > 0, -0.5))
    assert torch.equal(poses.scores[:, 0], scores)


@torch.inference_mode()
def test_the_heatmaps_that_its_backbone_learnt_first_are_the_same(tmp_path: Path) -> None:
    head = reference_networks.MmposeResNet().head
    head.deconv_layers = reference_networks.deconvolutions((384, 256, 256, 256))
    reference_networks.randomise(head)
    body = {k: v for k, v in published("t").items() if k.startswith("backbone.")}
    whole = body | {f"head.{k}": v for k, v in head.state_dict().items()}
    torch.save({"state_dict": whole}, tmp_path / "cspnext.pth")
    model = pretrained_model("mmpose_cspnext-tiny")
    module, _ = load_weights(tmp_path / "cspnext.pth", model, *pretrained_config(model))
    images = torch.randn(1, 3, 256, 192, generator=torch.Generator().manual_seed(1))
    feature = backbone(part(body, "backbone"), "t", images)
    expected = head.final_layer(head.deconv_layers(feature))
    torch.testing.assert_close(module.net(images), expected, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_a_backbone_is_taken_out_of_a_whole_network(tmp_path: Path) -> None:
    state = published("t")
    torch.save({"state_dict": state}, tmp_path / "whole.pth")
    with pytest.warns(UserWarning, match=r"left over .*head\.final_layer\.weight"):
        net = CSPNeXt(
            input_size=(64, 96), deepen=0.167, widen=0.375, weights=str(tmp_path / "whole.pth")
        )
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    expected = backbone(part(state, "backbone"), "t", images)
    torch.testing.assert_close(net.eval()(images)[-1], expected, rtol=1e-3, atol=1e-3)


def test_another_size_raises(tmp_path: Path) -> None:
    torch.save(published("t"), tmp_path / "t.pth")
    model = pretrained_model("rtmpose_s")
    with pytest.raises(InputError, match=r"expected the (weights|shapes) of this model"):
        load_weights(tmp_path / "t.pth", model, *pretrained_config(model))
