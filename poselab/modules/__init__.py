"""Lightning modules: one training step, four named variants, and post-processing."""

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
