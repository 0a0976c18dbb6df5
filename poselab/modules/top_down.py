"""Top-down: people from boxes, then one person at a time by any single-person method."""

from __future__ import annotations

from typing import ClassVar

from poselab.modules.pose_module import PoseModule
from poselab.modules.postprocess import PostProcess


class TopDown(PoseModule):
    """Any single-person method on the boxes of people.

    By default a pose's score is its box's score times the mean score of its confident keypoints,
    and OKS-NMS removes duplicate poses of an image (Xiao et al. 2018).
    """

    default_postprocess: ClassVar[PostProcess] = PostProcess()
