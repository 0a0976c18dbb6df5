"""Networks: a backbone extracts features, a neck resamples them, a head makes the output."""

from poselab.models.feature_info import FeatureInfo, FeatureSource
from poselab.models.pose_net import PoseNet

__all__ = ["FeatureInfo", "FeatureSource", "PoseNet"]
