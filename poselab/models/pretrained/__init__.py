"""Published checkpoints: how their keys are renamed, and which experiment they are runs of."""

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
