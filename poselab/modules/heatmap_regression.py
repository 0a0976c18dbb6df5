"""Heatmap regression: one map a keypoint, read at its peak."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.heatmap import HeatmapCodec
from poselab.losses.heatmaps import MapLoss
from poselab.methods.udp_offset.codec import UdpOffsetCodec
from poselab.models.heads import HeatmapHead
from poselab.models.necks import DeconvNeck
from poselab.modules.pose_module import PoseModule, Triple


class HeatmapRegression(PoseModule):
    """One person's keypoints as peaks of maps (Tompson et al. 2014; Xiao et al. 2018), with maps of
    offsets beside them where the codec wants those (Huang et al. 2020)."""

    accepts: ClassVar[tuple[type, ...]] = (HeatmapCodec, UdpOffsetCodec)
    default: ClassVar[Triple] = Triple(
        neck=DeconvNeck, head=HeatmapHead, codec=HeatmapCodec, loss=MapLoss
    )
