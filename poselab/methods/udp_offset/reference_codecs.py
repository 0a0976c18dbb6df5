"""Discs and offsets decoded as the reference implementations of UDP decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from poselab.methods.udp_offset.codec import UdpOffsetCodec

if TYPE_CHECKING:
    from torch import Tensor


class UdpPoseCodec(UdpOffsetCodec):
    """UDP's disc and offsets: maps with no value above zero are read at their first cell.

    Source: HuangJunJie2017/UDP-Pose, master, lib/core/inference.py.
    """

    nowhere: ClassVar[float] = 0.0

    def _start(self, cells: Tensor, values: Tensor) -> Tensor:
        return torch.where(values[..., None] > 0, cells, self.nowhere)


class MmposeUdpOffsetCodec(UdpPoseCodec):
    """mmpose's disc and offsets: a wider blur of the disc, none of the offsets.

    Maps with no value above zero start one cell before the first, as there, from where mmpose
    takes the offset of another keypoint. Source: open-mmlab/mmpose, mmpose/codecs/udp_heatmap.py.
    """

    disc_blur: ClassVar[int] = 23
    offset_blur: ClassVar[int] = 1
    nowhere: ClassVar[float] = -1.0
