"""Lightning modules: one training step, four named variants, and post-processing.

From a batch to its loss: ``pose_module`` runs backbone, neck and head (``models``) on the images,
has the codec (``codecs``) encode the keypoints, and the loss (``losses``) compare the two. What one
method alone has of these lies in its folder of ``methods``.
"""

from poselab.modules.bottom_up import BottomUp
from poselab.modules.direct_regression import DirectRegression
from poselab.modules.heatmap_regression import HeatmapRegression
from poselab.modules.pose_module import PoseModule
from poselab.modules.postprocess import PostProcess
from poselab.modules.top_down import TopDown

__all__ = [
    "BottomUp",
    "DirectRegression",
    "HeatmapRegression",
    "PoseModule",
    "PostProcess",
    "TopDown",
]
