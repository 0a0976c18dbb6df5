"""Discs and offsets decoded as the reference implementations of UDP decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from poselab.methods.udp_offset.codec import UdpOffsetCodec

if TYPE_CHECKING:
    from torch import Tensor


class UdpPoseCodec(UdpOffsetCodec):
    """UDP's own code: discs without a value above zero are read at their first cell.

    Source: HuangJunJie2017/UDP-Pose, master, lib/core/inference.py.
    """

    empty_cell: ClassVar[float] = 0.0

    def _start(self, cells: Tensor, scores: Tensor) -> Tensor:
        return torch.where(scores[..., None] > 0, cells, self.empty_cell)


class MmposeUdpOffsetCodec(UdpPoseCodec):
    """mmpose 1.x: a wider blur of the disc, none of the offsets.

    Discs without a value above zero start one cell before the first, where mmpose takes the offset
    of another keypoint. Source: open-mmlab/mmpose, mmpose/codecs/udp_heatmap.py.
    """

    disc_kernel_size: ClassVar[int] = 23
    offset_kernel_size: ClassVar[int] = 1
    empty_cell: ClassVar[float] = -1.0
