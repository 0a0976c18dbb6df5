"""Checkpoints of other zoos: what their keys are called, and what they were trained as."""

from poselab.models.weights_of.catalogue import CATALOGUE, LEFT_OUT, Published
from poselab.models.weights_of.key_map import Converted, KeyMap, converted, listed

__all__ = ["CATALOGUE", "LEFT_OUT", "Converted", "KeyMap", "Published", "converted", "listed"]
