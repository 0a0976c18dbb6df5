"""Discs and offsets decoded as the reference implementations of UDP decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from poselab.heatmaps import blur_at, blur_kernel, blur_same, peaks
from poselab.methods.udp_offset.codec import UdpOffsetCodec

if TYPE_CHECKING:
    from torch import Tensor


class UdpPoseCodec(UdpOffsetCodec):
    """UDP's own code: discs without a value above zero are read at their first cell.

    Source: HuangJunJie2017/UDP-Pose, master, lib/core/inference.py.
    """

    empty_cell: ClassVar[float] = 0.0

    def _peaks(self, disc: Tensor) -> tuple[Tensor, Tensor]:
        cells, heights = peaks(blur_same(disc, blur_kernel(self.disc_kernel_size)))
        return torch.where(heights[..., None] > 0, cells, self.empty_cell), heights

    def _keypoints(self, disc: Tensor, x: Tensor, y: Tensor, cells: Tensor) -> Tensor:
        """The cells, moved by the blurred offsets at them."""
        offset = torch.stack([blur_at(o, cells, self.offset_kernel_size) for o in (x, y)], dim=-1)
        return cells + offset * self.radius


class MmposeUdpOffsetCodec(UdpPoseCodec):
    """mmpose 1.x: a wider blur of the disc, none of the offsets.

    Discs without a value above zero start one cell before the first, where mmpose takes the offset
    of another keypoint. Source: open-mmlab/mmpose, mmpose/codecs/udp_heatmap.py.
    """

    disc_kernel_size: ClassVar[int] = 23
    offset_kernel_size: ClassVar[int] = 1
    empty_cell: ClassVar[float] = -1.0
