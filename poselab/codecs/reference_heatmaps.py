"""Maps read as the code of published weights reads them, borders and flips included.

Our own codecs keep the flip law; these keep their authors' rules instead, so that imported
weights give the authors' keypoints. Targets are those of the codec that each is built on.
Classifications and coordinates: :mod:`poselab.methods.simcc.reference_codecs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from poselab import heatmaps as maps
from poselab.codecs.grid import Grid
from poselab.codecs.heatmap import Decoder, HeatmapCodec

if TYPE_CHECKING:
    from poselab.geometry import PixelConvention


@dataclass(frozen=True)
class MovedGrid(Grid):
    """A grid whose flipped maps move right by ``moved`` cells, whatever its convention asks."""

    moved: int = 0

    @property
    def flip_shift(self) -> int:
        """Whole cells by which flipped maps must move right."""
        return self.moved


@dataclass(frozen=True)
class DarkGrid(MovedGrid):
    """Cells scaled about the middle by the ratio of widths less one, along y too."""

    def _axes(self) -> list[tuple[float, float]]:
        (h, w), (height, width) = self.size, self.input_size
        scale = (width - 1) / (w - 1)
        return [(scale, 0.0), (scale, (height - 1 - scale * (h - 1)) / 2)]


@dataclass(kw_only=True, eq=False)
class PublishedHeatmapCodec(HeatmapCodec):
    """What the heatmap readings of other code differ in; a subclass is one of them.

    own: the decoder that is theirs, others are ours. kernel: cells of its blur. shift: cells by
    which maps of flipped inputs move right. nowhere: the cell of maps with no value above zero.
    lattice: where cells lie.
    """

    own: ClassVar[Decoder]
    kernel: ClassVar[int] = 11
    shift: ClassVar[int] = 0
    nowhere: ClassVar[float] = 0.0
    lattice: ClassVar[type[MovedGrid]] = MovedGrid

    pixels: str = "hrnet"

    def _lattice(self, pixels: PixelConvention) -> Grid:
        return self.lattice(self.input_size, self.stride, pixels, self.shift)

    def _refine(self, heat: Tensor, cells: Tensor) -> Tensor:
        if self.decoder != self.own:
            return super()._refine(heat, cells)
        found = heat.amax((-2, -1))[..., None] > 0
        return torch.where(found, self._read(heat, cells), self.nowhere)

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        """Positions in cells near the highest ones."""
        raise NotImplementedError


class HrnetCodec(PublishedHeatmapCodec):
    """SimpleBaseline's and HRNet's: no quarter step in two columns or rows of the border, or one.

    Source: leoxiaobin/deep-high-resolution-net.pytorch, lib/core/inference.py.
    """

    own: ClassVar[Decoder] = "quarter"
    shift: ClassVar[int] = 1

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        allowed = _from_border(heat, cells, 2).all(-1, keepdim=True)
        return torch.where(allowed, maps.quarter_offset(heat, cells), cells)


class MmposeCodec(PublishedHeatmapCodec):
    """mmpose 1.x: as HRNet's, each axis for itself unless the other is on its first cell.

    Source: open-mmlab/mmpose, mmpose/codecs/utils/refinement.py.
    """

    own: ClassVar[Decoder] = "quarter"
    shift: ClassVar[int] = 1
    nowhere: ClassVar[float] = -1.0

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        allowed = _from_border(heat, cells, 2) & (cells.flip(-1) > 0)
        return torch.where(allowed, maps.quarter_offset(heat, cells), cells)


class DarkCodec(PublishedHeatmapCodec):
    """DARK's: maps of flipped inputs are not moved; blurred by 11 cells whatever the sigma.

    Where maps fall below zero their logarithm depends on the scale of the whole map.

    Source: ilovepose/DarkPose, lib/core/inference.py and function.py.
    """

    own: ClassVar[Decoder] = "dark"
    lattice: ClassVar[type[MovedGrid]] = DarkGrid

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        return maps.dark_refine(_smoothed(heat, self.kernel), cells, kernel=1)


class NarrowDarkCodec(DarkCodec):
    """DARK's for small inputs: blurred by 3 cells."""

    kernel: ClassVar[int] = 3


class MmposeDarkCodec(DarkCodec):
    """mmpose 1.x with unbiased heatmaps."""

    lattice: ClassVar[type[MovedGrid]] = MovedGrid
    shift: ClassVar[int] = 1
    nowhere: ClassVar[float] = -1.0


class WideMmposeDarkCodec(MmposeDarkCodec):
    """mmpose 1.x with unbiased heatmaps blurred by 17 cells."""

    kernel: ClassVar[int] = 17


class VitposeCodec(PublishedHeatmapCodec):
    """ViTPose's: UDP's step after a blur by 11 cells with flipped borders.

    Source: ViTAE-Transformer/ViTPose, mmpose/core/evaluation/top_down_eval.py.
    """

    own: ClassVar[Decoder] = "udp"
    nowhere: ClassVar[float] = -1.0

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        return maps.udp_refine(heat, cells, self.kernel)


class TransformersVitposeCodec(VitposeCodec):
    """transformers' ViTPose: a narrow blur of 0.8 cells in place of the authors' of 2.

    Source: huggingface/transformers, VitPoseImageProcessor.post_process_pose_estimation.
    """

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        half = self.kernel // 2
        for axis in (-2, -1):  # borders flipped about their outer edge, as SciPy does it
            ends = heat.narrow(axis, 0, half), heat.narrow(axis, heat.shape[axis] - half, half)
            heat = torch.cat([ends[0].flip(axis), heat, ends[1].flip(axis)], axis)
        smooth = maps.blur(heat, maps.blur_kernel(self.kernel, sigma=0.8))
        return maps.udp_refine(smooth, cells, kernel=1)


class MmposeUdpCodec(PublishedHeatmapCodec):
    """mmpose 1.x's UDP: blurred with zeros outside and scaled back to its height, then the step.

    Source: open-mmlab/mmpose, mmpose/codecs/utils/post_processing.py and refinement.py.
    """

    own: ClassVar[Decoder] = "udp"
    nowhere: ClassVar[float] = -1.0

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        return maps.udp_refine(_smoothed(heat, self.kernel), cells, kernel=1)


class UdpPoseHeatmapCodec(PublishedHeatmapCodec):
    """UDP's with Gaussian targets: blurred, stretched from zero to the old height, then the step.

    Source: HuangJunJie2017/UDP-Pose, master, lib/core/inference.py, post.
    """

    own: ClassVar[Decoder] = "udp"
    kernel: ClassVar[int] = 7

    def _read(self, heat: Tensor, cells: Tensor) -> Tensor:
        smooth = maps.blur_same(heat, maps.blur_kernel(self.kernel))
        smooth = smooth - smooth.amin((-2, -1), True)
        stretch = heat.amax((-2, -1), True) / smooth.amax((-2, -1), True)
        return maps.udp_refine(smooth * stretch, cells, kernel=1)


def _smoothed(heat: Tensor, kernel: int) -> Tensor:
    """Maps blurred with zeros around them, scaled back to their height."""
    smooth = maps.blur(functional.pad(heat, [kernel // 2] * 4), maps.blur_kernel(kernel))
    return smooth * (heat.amax((-2, -1), True) / smooth.amax((-2, -1), True))


def _from_border(heat: Tensor, cells: Tensor, margin: int) -> Tensor:
    """Which coordinates (…, 2) of cells have ``margin`` cells before and one behind them."""
    ends = cells.new_tensor([heat.shape[-1] - 1, heat.shape[-2] - 1])
    return (cells >= margin) & (cells < ends)
