"""The four laws of codecs, over every codec, pixel convention and input size.

1. decode∘encode is the identity within the codec's resolution.
2. unflip∘encode∘flip is encode.
3. Unlabelled keypoints weigh nothing.
4. A labelled keypoint outside the input weighs what its codec states.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch

from poselab.codecs.coordinate import CoordinateCodec, HrnetCoordinateCodec
from poselab.codecs.heatmap import HeatmapCodec
from poselab.experiments.round_trip import perfect_output
from poselab.grouping.limbs import LimbGrouping
from poselab.grouping.tags import TagGrouping
from poselab.losses.coordinates import CoordinateLoss
from poselab.losses.heatmaps import HeatmapLoss
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.associative_embedding.loss import TagLoss
from poselab.methods.compositional.codec import BoneCodec
from poselab.methods.compositional.loss import CompositionalLoss
from poselab.methods.higher_hrnet.codec import HigherHrnetCodec
from poselab.methods.higher_hrnet.loss import HigherHrnetLoss
from poselab.methods.part_affinity.codec import PartAffinityCodec
from poselab.methods.part_affinity.loss import PartAffinityLoss
from poselab.methods.simcc.codec import SimccCodec
from poselab.methods.simcc.loss import AxisLoss
from poselab.methods.udp_offset.codec import UdpOffsetCodec
from poselab.skeletons import COCO17, MPII16

SIZES = ((64, 64), (128, 96), (256, 192), (132, 108))
CONVENTIONS = ("centre", "hrnet", "udp")
HEATMAPS = (
    *(("biased", decoder) for decoder in ("argmax", "quarter")),
    ("one_hot", "argmax"),
    *(("unbiased", decoder) for decoder in HeatmapCodec.decoders),
)
SIMCC = (("equal", 2.0, 0.5), ("gaussian", 2.0, 3.0), ("laplace", 3.0, 2.0), ("gaussian", 1.0, 2.0))
BATCH = 4


class Case(NamedTuple):
    """A codec, its loss, and the distance from the border (pixels) from which it is exact."""

    codec: Any
    loss: Any
    border: float


def cases() -> list[Any]:
    """Every member of the family; ids read codec-settings-convention-height x width."""
    found = []
    for size, stride in [*((size, 4) for size in SIZES), ((256, 192), 8), ((64, 64), 1)]:
        common = {"skeleton": COCO17, "input_size": size, "stride": stride}
        name = f"{size[0]}x{size[1]}s{stride}"
        found.append(case(f"coordinate-{name}", CoordinateCodec(**common), CoordinateLoss(), 0))
        for root in (None, "left_knee"):  # a tree with two equal sides, and one without
            codec = BoneCodec(**common, root=root)
            found.append(case(f"bones-{root}-{name}", codec, CompositionalLoss(), 0))
        for pixels in CONVENTIONS:
            where = common | {"pixels": pixels}
            for encoding, decoder in HEATMAPS:
                codec = HeatmapCodec(**where, encoding=encoding, decoder=decoder, sigma=1.5)
                text = f"heatmap-{encoding}-{decoder}-{pixels}-{name}"
                found.append(case(text, codec, HeatmapLoss(), 4.5 * stride))
            offsets = UdpOffsetCodec(**where)
            found.append(case(f"offset-{pixels}-{name}", offsets, HeatmapLoss(), 0))
            for smoothing, split, sigma in SIMCC:
                bins = SimccCodec(**where, smoothing=smoothing, split=split, sigma=sigma, share=0.0)
                text = f"simcc-{smoothing}-{split:g}-{pixels}-{name}"
                found.append(case(text, bins, AxisLoss(), 4 * sigma / split))
            tags = TagCodec(**where, grouping=TagGrouping(max_instances=3))
            found.append(case(f"tags-{pixels}-{name}", tags, TagLoss(), 2.0 * stride))
            if stride > 1:
                both = HigherHrnetCodec(**where, grouping=TagGrouping(max_instances=3))
                text = f"two-resolutions-{pixels}-{name}"
                found.append(case(text, both, HigherHrnetLoss(), 3.0 * stride))
            limbs = PartAffinityCodec(
                **where, grouping=LimbGrouping(long_limb=None, max_instances=3)
            )
            found.append(case(f"limbs-{pixels}-{name}", limbs, PartAffinityLoss(), 2.0 * stride))
    return found


def case(name: str, codec: Any, loss: Any, border: float) -> Any:
    """One member of the family as a test parameter."""
    return pytest.param(Case(codec, loss, border), id=name)


def symmetric(codec: Any) -> bool:
    """Whether flipped heatmaps meet cell for cell."""
    if isinstance(codec, SimccCodec):
        return codec.pixels != "hrnet" or codec.split == 1
    return not hasattr(codec, "grid") or codec.grid.pixels.name != "hrnet" or codec.grid.stride == 1


family = pytest.mark.parametrize("case", cases())


def keypoints_within(codec: Any, border: float, seed: int = 0) -> torch.Tensor:
    """Random sub-pixel keypoints (B, 1, K, 2) at least ``border`` pixels inside the input."""
    height, width = codec.grid.input_size if hasattr(codec, "grid") else codec.input_size
    low = torch.tensor([border - 0.5, border - 0.5])
    high = torch.tensor([width - 0.5 - border, height - 0.5 - border])
    share = torch.rand(BATCH, 1, len(codec.skeleton), 2, generator=generator(seed))
    return low + share * (high - low)


def generator(seed: int) -> torch.Generator:
    """A seeded random generator."""
    return torch.Generator().manual_seed(seed)


def encode(codec: Any, keypoints: torch.Tensor, visibility: torch.Tensor | None = None) -> Any:
    """Targets without a mask; all keypoints visible unless given otherwise."""
    seen = (
        torch.full(keypoints.shape[:-1], 2, dtype=torch.uint8) if visibility is None else visibility
    )
    return codec.encode(keypoints, seen, torch.ones(len(keypoints), 1, 1, dtype=torch.uint8))


def flipped(codec: Any, keypoints: torch.Tensor) -> torch.Tensor:
    """The keypoints of the flipped input."""
    width = (codec.grid.input_size if hasattr(codec, "grid") else codec.input_size)[1]
    moved = keypoints[:, :, list(codec.skeleton.flip_index)].clone()
    moved[..., 0] = width - 1 - moved[..., 0]
    return moved


def maps_of(output: Any) -> torch.Tensor:
    """The part of an output that holds its positions."""
    return maps_of(output[0]) if isinstance(output, tuple) else output


def with_maps(output: Any, maps: torch.Tensor) -> Any:
    """The same output with another part that holds its positions."""
    if not isinstance(output, tuple):
        return maps
    return type(output)(with_maps(output[0], maps), *output[1:])


@family
def test_decoding_an_encoding_gives_the_keypoints_back(case: Case) -> None:
    keypoints = keypoints_within(case.codec, case.border)
    poses = case.codec.decode(perfect_output(encode(case.codec, keypoints)))
    assert poses.valid[:, 0].all()
    assert not poses.valid[:, 1:].any()
    error = (poses.keypoints[:, :1] - keypoints).abs().max().item()
    assert error <= case.codec.resolution * 1.001


@family
def test_a_border_costs_at_most_a_cell(case: Case) -> None:
    """HRNet's convention has no cell for the last half stride, which costs it more there."""
    keypoints = keypoints_within(case.codec, 0.0, seed=1)
    poses = case.codec.decode(perfect_output(encode(case.codec, keypoints)))
    if not hasattr(case.codec, "grid"):
        beyond = getattr(case.codec, "pixels", None) in ("hrnet", "udp")
        limit = case.codec.resolution + 0.5 * beyond
        assert (poses.keypoints - keypoints).abs().max() <= limit * 1.001
        return
    grid = case.codec.grid
    lost = 0.5 if grid.pixels.name == "hrnet" else 0.0
    discs = 1.0
    if getattr(case.codec, "decoder", "") in ("soft_argmax", "local_soft_argmax"):
        discs = 0.9 * case.codec.sigma  # the mean of less than half a Gaussian
    error = (poses.keypoints[:, :1] - keypoints).abs().max().item()
    assert error <= (discs + lost) * grid.cell_size


@pytest.mark.parametrize("case", [c for c in cases() if symmetric(c.values[0].codec)])
def test_unflipping_the_flip_image_gives_the_output(case: Case) -> None:
    """To float32 where the convention is symmetric; see the next test for HRNet's."""
    codec = case.codec
    keypoints = keypoints_within(codec, 0.0, seed=2)
    straight = perfect_output(encode(codec, keypoints))
    back = codec.unflip(perfect_output(encode(codec, flipped(codec, keypoints))))
    assert type(back) is type(straight)
    # a keypoint within float32 of a cell's or disc's edge may fall to either side
    difference = (maps_of(back) - maps_of(straight)).abs()
    per_map = difference.flatten(2).amax(-1)
    assert (per_map < 1e-4).float().mean() > 0.995


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_hrnet_unflips_to_a_fraction_of_a_cell(size: tuple[int, int], stride: int) -> None:
    """One whole cell instead of 1 - 1/stride of one: positions are off by one input pixel.

    A map then differs by at most its steepest slope, exp(-1/2)/sigma, times 1/stride.
    """
    size = (size[0] // 8 * 8, size[1] // 8 * 8)
    codec = HeatmapCodec(
        skeleton=COCO17, input_size=size, stride=stride, encoding="unbiased", pixels="hrnet"
    )
    assert codec.grid.flip_shift == 1
    keypoints = keypoints_within(codec, 2.0 * stride)
    straight = encode(codec, keypoints).heatmaps
    back = codec.unflip(encode(codec, flipped(codec, keypoints)).heatmaps)
    slope = 0.6066 / codec.sigma
    assert (back - straight)[..., 1:].abs().max() <= slope / stride
    assert (back - straight)[..., 1:].abs().max() >= 0.5 * slope / stride


@family
def test_unlabelled_keypoints_weigh_nothing(case: Case) -> None:
    codec, loss = case.codec, case.loss
    keypoints = keypoints_within(codec, 0.0, seed=3)
    visibility = torch.randint(0, 3, keypoints.shape[:-1], generator=generator(4)).to(torch.uint8)
    garbage = torch.tensor([float("nan"), float("inf"), -7.0]).repeat(BATCH * 17 * 2)
    elsewhere = torch.where(
        (visibility > 0)[..., None], keypoints, garbage[: keypoints.numel()].view_as(keypoints)
    )
    output = noise_like(perfect_output(encode(codec, keypoints)))
    first = total_and_gradient(loss, output, encode(codec, keypoints, visibility))
    second = total_and_gradient(loss, output, encode(codec, elsewhere, visibility))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert torch.isfinite(first[0])
    # tag maps must be empty where nobody is; joints beyond an unlabelled one need its bone
    if not isinstance(codec, (TagCodec, PartAffinityCodec, BoneCodec)):
        untouched = first[1].reshape(BATCH, 17, -1)[visibility[:, 0] == 0]
        assert untouched.numel() > 0
        assert (untouched == 0).all()


def stated_reach(codec: Any) -> list[tuple[float, float]]:
    """Along x and y, the pixels between which a labelled keypoint has a weight."""
    if isinstance(codec, TagCodec):
        return [(-0.5, length - 0.5) for length in codec.input_size[::-1]]
    if isinstance(codec, SimccCodec):
        scales, lengths = codec._bin_to_pixel(), codec.bins[::-1]
        cells = 0.5 if codec.smoothing == "equal" else 3 * codec.sigma
    elif isinstance(codec, PartAffinityCodec):
        scales, lengths = codec.grid._cell_to_pixel(), codec.grid.size[::-1]
        cells = 0.5 + math.ceil(3 * codec.sigma)
    elif isinstance(codec, HeatmapCodec):
        scales, lengths = codec.grid._cell_to_pixel(), codec.grid.size[::-1]
        cells = 0.5 + (1 if codec.encoding == "one_hot" else math.floor(codec.reach * codec.sigma))
    else:
        return [(-math.inf, math.inf)] * 2
    return [
        (offset - cells * scale, offset + (length - 1 + cells) * scale)
        for (scale, offset), length in zip(scales, lengths, strict=True)
    ]


def weights(target: Any) -> torch.Tensor:
    """The greatest weight (B, K) of every keypoint, or whether it has a Gaussian among people's."""
    target = getattr(target, "low", target)
    if hasattr(target, "present"):
        return (target.heatmaps.amax((-2, -1)) > 0).float()
    per_keypoint = target.weight.flatten(2) if target.weight.ndim > 2 else target.weight[..., None]
    return per_keypoint.unflatten(1, (17, -1)).amax((-2, -1))


@family
def test_a_keypoint_outside_the_input_weighs_what_its_codec_states(case: Case) -> None:
    height, width = getattr(case.codec, "grid", case.codec).input_size
    for axis, (low, high) in enumerate(stated_reach(case.codec)):
        places = [(-999.0, math.isinf(low)), (999.0, math.isinf(high))]
        if not math.isinf(low):
            places += [
                (low - 0.1, False),
                (low + 0.1, True),
                (high - 0.1, True),
                (high + 0.1, False),
            ]
        keypoints = torch.tensor([width / 2, height / 2]).repeat(len(places), 1, 17, 1)
        keypoints[..., axis] = torch.tensor([place for place, _ in places])[:, None, None]
        expected = torch.tensor([float(weighs) for _, weighs in places])[:, None].expand(-1, 17)
        weight = weights(encode(case.codec, keypoints))
        torch.testing.assert_close(weight, expected, rtol=0, atol=0)


AUTHORS = {"skeleton": COCO17, "input_size": (256, 192), "stride": 4}
HRNET = HeatmapCodec(**AUTHORS, pixels="hrnet")


@pytest.mark.parametrize(
    ("codec", "weighs", "weighs_not"),
    [
        # 3 sigma of 2 cells; HRNet's cells lie at 4 x, the nearest to -25 is -6, of 48 the last 47
        pytest.param(HRNET, [-25.0, 213.0], [-27.0, 215.0], id="HRNet"),
        pytest.param(replace(HRNET, reach=0.0), [-1.0, 189.0], [-3.0, 191.0], id="CPN"),
        pytest.param(replace(HRNET, reach=math.inf), [-999.0, 999.0], [], id="hourglass"),
        pytest.param(UdpOffsetCodec(**AUTHORS), [-999.0, 999.0], [], id="UDP offsets"),
        pytest.param(HrnetCoordinateCodec(**AUTHORS), [-999.0, 999.0], [], id="RLE"),
        pytest.param(
            CoordinateCodec(**AUTHORS, learn_outside=False),
            [-0.4, 191.4],
            [-0.6, 191.6],
            id="DSNT, mmpose",
        ),
        pytest.param(SimccCodec(**AUTHORS), [-0.4, 191.4], [-0.6, 191.6], id="SimCC"),
        # RTMPose: 3 sigma of 4.9 bins are 7.35 pixels; bins lie at 2 x
        pytest.param(
            SimccCodec(**AUTHORS, smoothing="gaussian", sigma=(4.9, 5.66), pixels="hrnet"),
            [-7.3, 198.8],
            [-7.4, 198.9],
            id="RTMPose",
        ),
        pytest.param(TagCodec(**AUTHORS), [-0.4, 191.4], [-0.6, 191.6], id="AE"),
    ],
)
def test_keypoints_outside_weigh_as_in_the_authors_code(
    codec: Any, weighs: list[float], weighs_not: list[float]
) -> None:
    x = torch.tensor(weighs + weighs_not)
    keypoints = torch.stack([x, torch.full_like(x, 100.0)], dim=-1)[:, None, None]
    weight = weights(encode(codec, keypoints.repeat(1, 1, 17, 1)))
    assert (weight[: len(weighs)] == 1).all()
    assert (weight[len(weighs) :] == 0).all()


def test_offsets_of_a_keypoint_outside_are_an_empty_disc() -> None:
    codec = UdpOffsetCodec(**AUTHORS)
    keypoints = torch.full((1, 1, 17, 2), -500.0)
    target = encode(codec, keypoints)
    assert (target.heatmaps == 0).all()
    by_keypoint = target.weight.unflatten(1, (17, 3))
    assert (by_keypoint[:, :, 0] == 1).all()
    assert (by_keypoint[:, :, 1:] == 0).all()


def test_joints_outside_the_input_have_neither_gaussian_nor_tag() -> None:
    keypoints = torch.full((1, 1, 17, 2), -0.6)
    target = encode(TagCodec(**AUTHORS, pixels="hrnet"), keypoints)
    assert (target.heatmaps == 0).all()
    assert not target.present.any()


def noise_like(output: Any) -> Any:
    """An output of the same type that is wrong everywhere."""
    if isinstance(output, tuple):
        return type(output)(*(noise_like(part) for part in output))
    return torch.randn(output.shape, generator=generator(5))


def total_and_gradient(loss: Any, output: Any, target: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The summed loss, and its gradient in the part of the output that holds positions."""
    leaf = maps_of(output).clone().requires_grad_()
    total = sum(loss(with_maps(output, leaf), target).values())
    total.backward()
    return total.detach(), leaf.grad


@family
def test_a_perfect_output_costs_nothing_and_an_empty_target_is_finite(case: Case) -> None:
    keypoints = keypoints_within(case.codec, 0.0, seed=6)
    target = encode(case.codec, keypoints)
    assert sum(case.loss(perfect_output(target), target).values()) < 1e-6
    assert sum(case.loss(noise_like(perfect_output(target)), target).values()) > 1e-3
    nobody = encode(case.codec, keypoints, torch.zeros(keypoints.shape[:-1], dtype=torch.uint8))
    total, gradient = total_and_gradient(case.loss, noise_like(perfect_output(target)), nobody)
    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


@family
def test_merging_an_output_with_itself_decodes_the_same(case: Case) -> None:
    output = perfect_output(encode(case.codec, keypoints_within(case.codec, case.border, seed=7)))
    once = case.codec.decode(output)
    twice = case.codec.decode(case.codec.merge(output, output))
    torch.testing.assert_close(once.keypoints, twice.keypoints)
    assert (once.valid == twice.valid).all()


@family
def test_channels_are_what_the_output_has(case: Case) -> None:
    output = maps_of(perfect_output(encode(case.codec, keypoints_within(case.codec, 0.0))))
    assert output.shape[1] == case.codec.channels


@pytest.mark.parametrize("kind", [CoordinateCodec, BoneCodec, HeatmapCodec, UdpOffsetCodec])
def test_one_person_codecs_raise_on_several_people(kind: Any) -> None:
    codec = kind(skeleton=MPII16, input_size=(64, 64), stride=4)
    with pytest.raises(ValueError, match="expected one person"):
        encode(codec, torch.zeros(1, 2, 16, 2))
