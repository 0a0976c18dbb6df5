"""What a network sees: framing, augmentation, datasets and loaders."""

from poselab.data.augment import Augment
from poselab.data.datamodule import PoseData
from poselab.data.dataset import PoseDataset
from poselab.data.framing import PersonCrop, WholeImage

__all__ = ["Augment", "PersonCrop", "PoseData", "PoseDataset", "WholeImage"]
