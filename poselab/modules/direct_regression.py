"""Direct keypoint regression: coordinates straight from the network."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.coordinate import CoordinateCodec
from poselab.modules.pose_module import PoseModule


class DirectRegression(PoseModule):
    """One person's coordinates by regression (Toshev & Szegedy 2014).

    With a soft-argmax head they are the mean position of a heatmap (Sun et al. 2018), with another
    loss a likelihood is maximised (Li et al. 2021), with another codec bones are regressed (Sun et
    al. 2017). Every pose scores the mean of its keypoints, and none is suppressed.
    """

    accepts: ClassVar[type] = CoordinateCodec
