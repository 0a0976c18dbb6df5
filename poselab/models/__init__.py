"""Networks: a backbone finds features, a neck shapes them, a head turns them into an output."""

from poselab.models.feature_info import FeatureInfo, FeatureSource
from poselab.models.pose_net import PoseNet

__all__ = ["FeatureInfo", "FeatureSource", "PoseNet"]
