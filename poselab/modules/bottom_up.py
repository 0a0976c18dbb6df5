"""Bottom-up: all keypoints of a whole image at once, then grouped into people."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.grid import GridCodec
from poselab.modules.pose_module import PoseModule
from poselab.modules.postprocess import PostProcess


class BottomUp(PoseModule):
    """All people of an image; the codec's decoder groups keypoints into poses (Newell et al. 2017).

    By default a pose's score is the mean of its keypoint scores before missing ones are filled in,
    and no pose is suppressed (HigherHRNet, Cheng et al. 2020, lib/core/group.py).
    """

    accepts: ClassVar[type] = GridCodec
    multi_person: ClassVar[bool] = True
    default_postprocess: ClassVar[PostProcess] = PostProcess(
        score_rule="detected", keypoint_threshold=None, nms=None
    )
