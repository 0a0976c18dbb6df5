"""Heatmaps decoded as the reference implementation of published weights decodes them.

Our own codecs keep the flip law; these keep the authors' rules at borders and in flips, so that
imported weights give the authors' keypoints to the last digit. Targets are those of
:class:`~poselab.codecs.heatmap.HeatmapCodec`. Other outputs: ``reference_codecs.py`` in
``methods/simcc`` and ``methods/udp_offset``, and ``HrnetCoordinateCodec`` in ``coordinate.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from poselab.codecs.grid import Grid
from poselab.codecs.heatmap import Decoder, HeatmapCodec
from poselab.heatmaps import (
    blur_kernel,
    blur_same,
    blur_valid,
    dark_refine,
    quarter_offset,
    udp_refine,
)

if TYPE_CHECKING:
    from poselab.geometry import PixelConvention


@dataclass(frozen=True)
class ShiftedGrid(Grid):
    """A grid whose flipped heatmaps move right by ``shift`` cells, whatever its convention."""

    shift: int = 0

    @property
    def flip_shift(self) -> int:
        """Whole cells by which heatmaps of flipped inputs move right."""
        return self.shift


@dataclass(frozen=True)
class DarkGrid(ShiftedGrid):
    """Cells scaled about the middle, along both axes by the ratio of widths less one."""

    def _cell_to_pixel(self) -> list[tuple[float, float]]:
        (h, w), (height, width) = self.size, self.input_size
        scale = (width - 1) / (w - 1)
        return [(scale, 0.0), (scale, (height - 1 - scale * (h - 1)) / 2)]


@dataclass(kw_only=True, eq=False)
class ReferenceHeatmapCodec(HeatmapCodec):
    """Base of the reference decoders, which differ in their class variables.

    reference_decoder: the decoder that follows the reference code; the others are unchanged.
    kernel_size: cells of its blur. flip_shift: cells by which heatmaps of flipped inputs move
    right. empty_cell: x and y of the position in heatmaps without a value above zero.
    grid_type: where cells lie.
    """

    reference_decoder: ClassVar[Decoder]
    kernel_size: ClassVar[int] = 11
    flip_shift: ClassVar[int] = 0
    empty_cell: ClassVar[float] = 0.0
    grid_type: ClassVar[type[ShiftedGrid]] = ShiftedGrid

    pixels: str = "hrnet"

    def _make_grid(self, pixels: PixelConvention) -> Grid:
        return self.grid_type(self.input_size, self.stride, pixels, self.flip_shift)

    def _refine(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        if self.decoder != self.reference_decoder:
            return super()._refine(heatmaps, cells)
        positive = heatmaps.amax((-2, -1))[..., None] > 0
        return torch.where(positive, self._reference(heatmaps, cells), self.empty_cell)

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        """Positions in cells as the reference code computes them from the highest cells."""
        raise NotImplementedError


class HrnetCodec(ReferenceHeatmapCodec):
    """SimpleBaseline and HRNet: no quarter offset where either coordinate is near the border.

    Near is the first two cells and the last one. Source:
    leoxiaobin/deep-high-resolution-net.pytorch, lib/core/inference.py.
    """

    reference_decoder: ClassVar[Decoder] = "quarter"
    flip_shift: ClassVar[int] = 1

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        # Their `1 < x < w - 1` leaves out a cell more on the left and top than on the other sides.
        moves = _away_from_border(heatmaps, cells).all(-1, keepdim=True)
        return torch.where(moves, quarter_offset(heatmaps, cells), cells)


class MmposeCodec(ReferenceHeatmapCodec):
    """mmpose 1.x: as HRNet, but each axis moves unless the other one is on its first cell.

    Source: open-mmlab/mmpose, mmpose/codecs/utils/refinement.py.
    """

    reference_decoder: ClassVar[Decoder] = "quarter"
    flip_shift: ClassVar[int] = 1
    empty_cell: ClassVar[float] = -1.0

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        moves = _away_from_border(heatmaps, cells) & (cells.flip(-1) > 0)
        return torch.where(moves, quarter_offset(heatmaps, cells), cells)


class DarkCodec(ReferenceHeatmapCodec):
    """DARK: flipped heatmaps are not moved; the blur is 11 cells wide whatever the sigma.

    Where heatmaps fall below zero their logarithm depends on the scale of the whole heatmap.
    Source: ilovepose/DarkPose, lib/core/inference.py and function.py.
    """

    reference_decoder: ClassVar[Decoder] = "dark"
    grid_type: ClassVar[type[ShiftedGrid]] = DarkGrid

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        return dark_refine(_blur_and_rescale(heatmaps, self.kernel_size), cells, kernel_size=1)


class NarrowDarkCodec(DarkCodec):
    """DARK for small inputs: a blur of 3 cells."""

    kernel_size: ClassVar[int] = 3


class MmposeDarkCodec(DarkCodec):
    """mmpose 1.x with unbiased heatmaps."""

    grid_type: ClassVar[type[ShiftedGrid]] = ShiftedGrid
    flip_shift: ClassVar[int] = 1
    empty_cell: ClassVar[float] = -1.0


class WideMmposeDarkCodec(MmposeDarkCodec):
    """mmpose 1.x with unbiased heatmaps and a blur of 17 cells."""

    kernel_size: ClassVar[int] = 17


class VitposeCodec(ReferenceHeatmapCodec):
    """ViTPose: UDP's step after a blur of 11 cells with reflected borders.

    Source: ViTAE-Transformer/ViTPose, mmpose/core/evaluation/top_down_eval.py.
    """

    reference_decoder: ClassVar[Decoder] = "udp"
    empty_cell: ClassVar[float] = -1.0

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        return udp_refine(heatmaps, cells, self.kernel_size, "reflect")


class TransformersVitposeCodec(VitposeCodec):
    """ViTPose in transformers: a narrow blur of sigma 0.8 cells in place of the authors' 2.

    Source: huggingface/transformers, VitPoseImageProcessor.post_process_pose_estimation.
    """

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        half = self.kernel_size // 2
        for axis in (-2, -1):  # SciPy reflects borders about their outer edge
            length = heatmaps.shape[axis]
            first, last = heatmaps.narrow(axis, 0, half), heatmaps.narrow(axis, length - half, half)
            heatmaps = torch.cat([first.flip(axis), heatmaps, last.flip(axis)], axis)
        smooth = blur_valid(heatmaps, blur_kernel(self.kernel_size, sigma=0.8))
        return udp_refine(smooth, cells, kernel_size=1)


class MmposeUdpCodec(ReferenceHeatmapCodec):
    """UDP in mmpose 1.x: a blur with zeros outside, rescaled to the old height, then UDP's step.

    Source: open-mmlab/mmpose, mmpose/codecs/utils/post_processing.py and refinement.py.
    """

    reference_decoder: ClassVar[Decoder] = "udp"
    empty_cell: ClassVar[float] = -1.0

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        return udp_refine(_blur_and_rescale(heatmaps, self.kernel_size), cells, kernel_size=1)


class UdpPoseHeatmapCodec(ReferenceHeatmapCodec):
    """UDP with Gaussian targets: a blur, rescaled to the range from zero to the old height.

    Source: HuangJunJie2017/UDP-Pose, master, lib/core/inference.py, post.
    """

    reference_decoder: ClassVar[Decoder] = "udp"
    kernel_size: ClassVar[int] = 7

    def _reference(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        smooth = blur_same(heatmaps, blur_kernel(self.kernel_size))
        smooth = smooth - smooth.amin((-2, -1), True)
        scale = heatmaps.amax((-2, -1), True) / smooth.amax((-2, -1), True)
        return udp_refine(smooth * scale, cells, kernel_size=1)


def _blur_and_rescale(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Heatmaps blurred with zeros around them, rescaled to their old height."""
    padded = functional.pad(heatmaps, [kernel_size // 2] * 4)
    smooth = blur_valid(padded, blur_kernel(kernel_size))
    return smooth * (heatmaps.amax((-2, -1), True) / smooth.amax((-2, -1), True))


def _away_from_border(heatmaps: Tensor, cells: Tensor) -> Tensor:
    """Which coordinates (…, 2) of cells have two cells before and one behind them."""
    last = cells.new_tensor([heatmaps.shape[-1] - 1, heatmaps.shape[-2] - 1])
    return (cells >= 2) & (cells < last)
