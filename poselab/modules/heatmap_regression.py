"""Heatmap regression: one heatmap a keypoint, read at its peak."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.grid import GridCodec
from poselab.modules.pose_module import PoseModule


class HeatmapRegression(PoseModule):
    """One person's keypoints as peaks of heatmaps (Tompson et al. 2014; Xiao et al. 2018), with
    maps of offsets beside them where the codec has those (Huang et al. 2020).

    Every pose scores the mean of its keypoints, and none is suppressed.
    """

    accepts: ClassVar[type] = GridCodec
