"""Bottom-up: all keypoints of a whole image at once, then grouped into people."""

from __future__ import annotations

from typing import ClassVar

from poselab.methods.associative_embedding.codec import TagCodec
from poselab.methods.associative_embedding.head import TaggedHead
from poselab.methods.associative_embedding.loss import TagLoss
from poselab.models.necks import HighestResolution
from poselab.modules.pose_module import PoseModule, Triple


class BottomUp(PoseModule):
    """Many people an image; the codec's decoder groups joints (Newell et al. 2017)."""

    accepts: ClassVar[tuple[type, ...]] = (TagCodec,)
    instances: ClassVar[str] = "many"
    default: ClassVar[Triple] = Triple(
        neck=HighestResolution, head=TaggedHead, codec=TagCodec, loss=TagLoss
    )
