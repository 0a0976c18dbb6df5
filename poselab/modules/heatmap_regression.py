"""Heatmap regression: one heatmap per keypoint, read at its peak."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.grid import GridCodec
from poselab.modules.pose_module import PoseModule


class HeatmapRegression(PoseModule):
    """One person's keypoints as peaks of heatmaps (Tompson et al. 2014; Xiao et al. 2018), refined
    by offset maps with a codec that has them (Huang et al. 2020).

    By default a pose's score is the mean of its keypoint scores, and no pose is suppressed.
    """

    accepts: ClassVar[type] = GridCodec
