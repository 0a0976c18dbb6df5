"""What every codec, convention and input size gives back of the coordinates put in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from poselab.codecs.coordinate import CoordinateCodec
from poselab.codecs.heatmap import HeatmapCodec
from poselab.geometry import CONVENTIONS
from poselab.grouping.tags import TagGrouping
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.compositional.codec import BoneCodec, BoneTarget
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
_SLACK = 1.001  # float32 beside the stated resolution


class Kind(NamedTuple):
    """A codec to be made, and how many pixels inside the border it keeps its promise."""

    name: str
    make: Callable[..., Any]
    border: float


class Trip(NamedTuple):
    """Errors along the worse axis, in input pixels, of one codec on one input size.

    median and worst over a lattice of sub-pixel positions, and what the codec states; ``flip``:
    through the flipped input and back.
    """

    codec: str
    pixels: str
    size: Size
    flip: bool
    median: float
    worst: float
    stated: float

    @property
    def sound(self) -> bool:
        """Whether nothing is further off than stated."""
        return self.worst <= self.stated * _SLACK


def kinds() -> list[Kind]:
    """Every codec with every setting that changes where a keypoint comes back."""
    heatmap, reach = partial(HeatmapCodec, sigma=SIGMA), 3 * SIGMA * STRIDE
    found = [
        Kind("coordinates", partial(_without_pixels, CoordinateCodec), 0.0),
        Kind("bones", partial(_without_pixels, BoneCodec), 0.0),
    ]
    for encoding, decoders in (
        ("biased", ("argmax", "quarter")),
        ("one_hot", ("argmax",)),
        ("unbiased", HeatmapCodec.decoders),
    ):
        for name in decoders:
            make = partial(heatmap, encoding=encoding, decoder=name)
            found.append(Kind(f"heatmap {encoding} {name}", make, reach))
    found.append(Kind("udp offset", UdpOffsetCodec, 7.0 * STRIDE))
    for smoothing, split in (("equal", 2.0), ("gaussian", 2.0), ("laplace", 3.0)):
        classes = partial(_simcc, smoothing=smoothing, split=split, sigma=2.0)
        found.append(Kind(f"simcc {smoothing} k={split:g}", classes, 4.0))
    tags = partial(TagCodec, grouping=TagGrouping(max_instances=2))
    return [*found, Kind("tags", tags, 2.0 * STRIDE)]


def _without_pixels(
    make: Callable[..., Any], *, pixels: str, skeleton: Skeleton, input_size: Size, stride: int
) -> Any:
    """Coordinates have no cells for a convention to place."""
    del pixels
    return make(skeleton=skeleton, input_size=input_size, stride=stride)


def round_trips(sizes: Sequence[Size] = SIZES) -> Iterator[Trip]:
    """The errors of every kind × convention × size × flip, as they are measured."""
    for kind in kinds():
        for pixels in CONVENTIONS:
            for size in sizes:
                codec = kind.make(skeleton=COCO17, input_size=size, stride=STRIDE, pixels=pixels)
                points = lattice(size, kind.border)
                for flip in (False, True):
                    error = (_there_and_back(codec, points, size, flip) - points).abs().amax(-1)
                    stated = codec.resolution + flip * _unmet(codec, size)
                    numbers = (error.median().item(), error.max().item(), stated)
                    yield Trip(kind.name, pixels, size, flip, *numbers)


def lattice(size: Size, border: float) -> Tensor:
    """17² positions (17, 1, 17, 2) at least ``border`` inside, each at another part of a pixel."""
    count = len(COCO17)
    share = (torch.arange(count) + 0.5) / count
    y, x = (share * (length - 2 * border) + border - 0.5 for length in size)
    return torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1)[:, None]


def _there_and_back(codec: Any, points: Tensor, size: Size, flip: bool) -> Tensor:
    shown = _flipped(points, size) if flip else points
    seen = torch.full(points.shape[:-1], 2, dtype=torch.uint8)
    target = codec.encode(shown, seen, torch.ones(len(points), 1, 1, dtype=torch.uint8))
    output = ideal(target)
    found: Tensor = codec.decode(codec.unflip(output) if flip else output).keypoints[:, :1]
    return found


def _flipped(points: Tensor, size: Size) -> Tensor:
    """The keypoints of the flipped input."""
    x, y = points[:, :, list(COCO17.flip_index)].unbind(-1)
    return torch.stack([size[1] - 1 - x, y], dim=-1)


def _unmet(codec: Any, size: Size) -> float:
    """Pixels that a whole-cell shift leaves of the convention's own (HRNet's code: one)."""
    grid = getattr(codec, "grid", None)
    if grid is None:
        return 0.0
    exact = grid.pixels.flip_shift(grid.size[1], size[1])
    return abs(float(grid.flip_shift) - float(exact)) * float(grid.cell)


def ideal(target: Any) -> Any:
    """The output of a network that gives a target exactly."""
    if isinstance(target, CoordinateTarget):
        return Coordinates(target.xy, target.weight)
    if isinstance(target, BoneTarget):
        rooted = target.parents < 0
        starts = target.xy[:, target.parents].masked_fill(rooted[:, None], 0.0)
        return Coordinates(target.xy - starts, target.weight)
    if isinstance(target, AxisTarget):
        return AxisLogits(*(axis.clamp(min=1e-30).log() for axis in (target.x, target.y)))
    if isinstance(target, TagTarget):
        return TaggedHeatmaps(target.maps, torch.zeros_like(target.maps)[:, None])
    return target.maps
