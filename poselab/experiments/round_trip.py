"""How exactly every codec decodes what it encodes, by pixel convention and input size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from poselab.codecs.coordinate import CoordinateCodec
from poselab.codecs.heatmap import HeatmapCodec
from poselab.geometry import CONVENTIONS
from poselab.grouping.limbs import LimbGrouping
from poselab.grouping.tags import TagGrouping
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.compositional.codec import BoneCodec, BoneTarget
from poselab.methods.higher_hrnet.codec import (
    HigherHrnetCodec,
    TwoResolutions,
    TwoResolutionTarget,
)
from poselab.methods.part_affinity.codec import PartAffinityCodec
from poselab.methods.part_affinity.fields import PartFields, PartFieldTarget
from poselab.methods.simcc.codec import SimccCodec
from poselab.methods.udp_offset.codec import UdpOffsetCodec
from poselab.outputs import (
    AxisLogits,
    AxisTarget,
    Coordinates,
    CoordinateTarget,
    TaggedHeatmaps,
    TagTarget,
)
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from poselab.structures import Size, Skeleton

SIZES: tuple[Size, ...] = ((64, 64), (128, 96), (256, 192), (384, 288))
STRIDE, SIGMA = 4, 1.5
_simcc: Callable[..., Any] = SimccCodec
_SLACK = 1.001  # rounding of float32


class CodecCase(NamedTuple):
    """A codec's constructor, and the distance (pixels) from the border beyond which it is exact."""

    name: str
    make: Callable[..., Any]
    border: float


class RoundTrip(NamedTuple):
    """Errors of one codec at one input size: along the worse axis, in input pixels.

    ``median`` and ``worst`` are over a lattice of sub-pixel positions, ``stated`` is the codec's
    own resolution. ``flip``: encoded in the flipped input, and unflipped.
    """

    codec: str
    pixels: str
    size: Size
    flip: bool
    median: float
    worst: float
    stated: float

    @property
    def passed(self) -> bool:
        """Whether no error is larger than stated."""
        return self.worst <= self.stated * _SLACK


def codec_cases() -> list[CodecCase]:
    """Every codec, with every setting that changes where a keypoint is decoded."""
    heatmap, reach = partial(HeatmapCodec, sigma=SIGMA), 3 * SIGMA * STRIDE
    cases = [
        CodecCase("coordinates", partial(_without_convention, CoordinateCodec), 0.0),
        CodecCase("bones", partial(_without_convention, BoneCodec), 0.0),
    ]
    for encoding, decoders in (
        ("biased", ("argmax", "quarter")),
        ("one_hot", ("argmax",)),
        ("unbiased", HeatmapCodec.decoders),
    ):
        for name in decoders:
            make = partial(heatmap, encoding=encoding, decoder=name)
            cases.append(CodecCase(f"heatmap {encoding} {name}", make, reach))
    cases.append(CodecCase("udp offset", UdpOffsetCodec, 0.0))
    for smoothing, split in (("equal", 2.0), ("gaussian", 2.0), ("laplace", 3.0)):
        classes = partial(_simcc, smoothing=smoothing, split=split, sigma=2.0)
        cases.append(CodecCase(f"simcc {smoothing} k={split:g}", classes, 4.0))
    tags, limbs = TagGrouping(max_instances=2), LimbGrouping(long_limb=None, max_instances=2)
    return [
        *cases,
        CodecCase("tags", partial(TagCodec, grouping=tags), 2.0 * STRIDE),
        CodecCase("tags, two resolutions", partial(HigherHrnetCodec, grouping=tags), 3.0 * STRIDE),
        CodecCase("limbs", partial(PartAffinityCodec, grouping=limbs), 2.0 * STRIDE),
    ]


def _without_convention(
    make: Callable[..., Any], *, pixels: str, skeleton: Skeleton, input_size: Size, stride: int
) -> Any:
    """Construct a codec of coordinates, which has no cells and so no pixel convention."""
    del pixels
    return make(skeleton=skeleton, input_size=input_size, stride=stride)


def round_trips(sizes: Sequence[Size] = SIZES) -> Iterator[RoundTrip]:
    """The errors of every codec × pixel convention × input size × flip."""
    for case in codec_cases():
        for pixels in CONVENTIONS:
            for size in sizes:
                codec = case.make(skeleton=COCO17, input_size=size, stride=STRIDE, pixels=pixels)
                points = lattice(size, case.border)
                for flip in (False, True):
                    error = (
                        (_encoded_and_decoded(codec, points, size, flip) - points).abs().amax(-1)
                    )
                    stated = codec.resolution + flip * _flip_shift_error(codec, size)
                    numbers = (error.median().item(), error.max().item(), stated)
                    yield RoundTrip(case.name, pixels, size, flip, *numbers)


def lattice(size: Size, border: float) -> Tensor:
    """17² positions (17, 1, 17, 2) at least ``border`` inside, at 17 fractions of a pixel."""
    count = len(COCO17)
    share = (torch.arange(count) + 0.5) / count
    y, x = (share * (length - 2 * border) + border - 0.5 for length in size)
    return torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1)[:, None]


def _encoded_and_decoded(codec: Any, points: Tensor, size: Size, flip: bool) -> Tensor:
    encoded = points
    if flip:
        x, y = points[:, :, list(COCO17.flip_index)].unbind(-1)
        encoded = torch.stack([size[1] - 1 - x, y], dim=-1)
    visibility = torch.full(points.shape[:-1], 2, dtype=torch.uint8)
    target = codec.encode(encoded, visibility, torch.ones(len(points), 1, 1, dtype=torch.uint8))
    output = perfect_output(target)
    decoded: Tensor = codec.decode(codec.unflip(output) if flip else output).keypoints[:, :1]
    return decoded


def _flip_shift_error(codec: Any, size: Size) -> float:
    """Pixels by which the flip test's whole-cell shift misses the exact one (HRNet's code: 1)."""
    grid = getattr(codec, "grid", None)
    if grid is None:
        return 0.0
    exact = grid.pixels.flip_shift(grid.size[1], size[1])
    return abs(float(grid.flip_shift) - float(exact)) * float(grid.cell_size)


def perfect_output(target: Any) -> Any:
    """The output of a network that predicts a target exactly."""
    if isinstance(target, CoordinateTarget):
        return Coordinates(target.xy, target.weight)
    if isinstance(target, BoneTarget):
        rooted = target.parents < 0
        starts = target.xy[:, target.parents].masked_fill(rooted[:, None], 0.0)
        return Coordinates(target.xy - starts, target.weight)
    if isinstance(target, AxisTarget):
        return AxisLogits(*(axis.clamp(min=1e-30).log() for axis in (target.x, target.y)))
    if isinstance(target, PartFieldTarget):
        return PartFields(target.heatmaps, target.fields)
    if isinstance(target, TwoResolutionTarget):
        return TwoResolutions(perfect_output(target.low), target.high.heatmaps)
    if isinstance(target, TagTarget):
        return TaggedHeatmaps(target.heatmaps, torch.zeros_like(target.heatmaps)[:, None])
    return target.heatmaps
