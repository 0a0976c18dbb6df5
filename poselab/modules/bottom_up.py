"""Bottom-up: all keypoints of a whole image at once, then grouped into people."""

from __future__ import annotations

from typing import ClassVar

from poselab.codecs.grid import GridCodec
from poselab.modules.pose_module import PoseModule


class BottomUp(PoseModule):
    """Many people an image; the codec's decoder groups their keypoints (Newell et al. 2017).

    Every pose scores the mean of its keypoints, and none is suppressed.
    """

    accepts: ClassVar[type] = GridCodec
    multi_person: ClassVar[bool] = True
