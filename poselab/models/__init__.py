"""Networks: a backbone finds features, a neck shapes them, a head turns them into an output."""

from poselab.models.features import Feature, FeatureSource
from poselab.models.pose_net import PoseNet

__all__ = ["Feature", "FeatureSource", "PoseNet"]
