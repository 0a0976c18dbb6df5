"""Top-down: people from boxes, then one person at a time by any single-person method."""

from __future__ import annotations

from typing import ClassVar

from poselab.modules.pose_module import PoseModule
from poselab.modules.postprocess import PostProcess


class TopDown(PoseModule):
    """Any single-person method on people's boxes.

    A pose scores its box's score times the mean of its confident keypoints, and OKS-NMS removes
    poses that repeat a better one of the same image (Xiao et al. 2018).
    """

    default_postprocess: ClassVar[PostProcess] = PostProcess()
