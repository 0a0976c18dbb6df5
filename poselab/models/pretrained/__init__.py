"""Checkpoints of other zoos: what their keys are called, and what they were trained as."""

from poselab.models.pretrained.catalogue import CATALOGUE, UNSUPPORTED, PretrainedModel
from poselab.models.pretrained.key_map import ConvertedState, KeyMap, convert_state, listed

__all__ = [
    "CATALOGUE",
    "UNSUPPORTED",
    "ConvertedState",
    "KeyMap",
    "PretrainedModel",
    "convert_state",
    "listed",
]
