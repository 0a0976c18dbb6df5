"""Bottom-up: all keypoints of a whole image at once, then grouped into people."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.grid import GridCodec
from poselab.modules.pose_module import PoseModule


class BottomUp(PoseModule):
    """All people of an image; the codec's decoder groups keypoints into poses (Newell et al. 2017).

    By default a pose's score is the mean of its keypoint scores, and no pose is suppressed.
    """

    accepts: ClassVar[type] = GridCodec
    multi_person: ClassVar[bool] = True
