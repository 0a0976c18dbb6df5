"""Keys of torchvision's Keypoint R-CNN, of files before and after layers were put in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.models.pretrained.key_map import KeyMap
from poselab.models.pretrained.repositories import RESNET, TRUNK

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.pretrained.key_map import State

_EPSILON = 1e-5  # of batch normalisation here

_RENAMES = (
    (rf"backbone\.body\.{RESNET}", TRUNK),
    (
        r"backbone\.fpn\.((?:inner|layer)_blocks\.\d)\.(?:0\.)?(weight|bias)",
        r"net.neck.pyramid.\1.0.\2",
    ),
    (r"rpn\.head\.conv\.(?:0\.0\.)?(weight|bias)", r"net.head.rpn.head.conv.0.0.\1"),
    (r"(rpn\.head\.(?:cls_logits|bbox_pred)\..+)", r"net.head.\1"),
    (r"(roi_heads\.(?:box|keypoint)_(?:head|predictor)\..+)", r"net.head.\1"),
)


def _without_epsilon(state: State) -> dict[str, Tensor]:
    """Scales that undo our epsilon, since torchvision's COCO_V1 normalises without one.

    That normalisation is frozen and counts no batches; one that counts was trained with epsilon.
    """
    if any(key.endswith(".num_batches_tracked") for key in state):
        return dict(state)
    made = dict(state)
    for key, variance in state.items():
        if key.endswith(".running_var"):
            scale = key.replace(".running_var", ".weight")
            made[scale] = state[scale] * (1 + _EPSILON / variance).sqrt()
    return made


WITH_EPSILON = KeyMap(_RENAMES)
COCO_V1 = KeyMap(_RENAMES, steps=(_without_epsilon,))
