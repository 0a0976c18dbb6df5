"""Published checkpoints: the rules that rename their keys, and the experiment of each."""

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
