"""Checkpoints of other zoos: what their keys are called, and what they were trained as."""

from poselab.models.pretrained.catalogue import CATALOGUE, LEFT_OUT, Published
from poselab.models.pretrained.key_map import Converted, KeyMap, converted, listed

__all__ = ["CATALOGUE", "LEFT_OUT", "Converted", "KeyMap", "Published", "converted", "listed"]
