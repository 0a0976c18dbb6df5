"""Keys of ViTPose: of the authors' repository, and of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from poselab.models.weights_of.key_map import KeyMap
from poselab.models.weights_of.repositories import deconvolutions

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.weights_of.key_map import State


def _position_of_class_added(key: str, state: State) -> dict[str, Tensor]:
    """The position of the class token, which they add to every patch, added to those for good."""
    position = state[key]
    return {**state, key: position[:, 1:] + position[:, :1]}


_REPOSITORY = (
    (r"backbone\.((?:pos_embed|patch_embed\.proj\..+|blocks\..+))", r"net.backbone.net.\1"),
    (r"backbone\.last_norm\.(.+)", r"net.backbone.net.norm.\1"),
    (r"keypoint_head\.final_layer\.(.+)", r"net.head.maps.\1"),
)
_STEPS = (lambda state: _position_of_class_added("backbone.pos_embed", state),)

REPOSITORY = KeyMap(
    (*_REPOSITORY, *deconvolutions(r"keypoint_head\.deconv_layers\.", 2)), steps=_STEPS
)
REPOSITORY_SIMPLE = KeyMap(_REPOSITORY, steps=_STEPS)


def _joined(state: State) -> dict[str, Tensor]:
    """Queries, keys and values of each layer as one tensor."""
    made = dict(state)
    for key in [key for key in state if ".attention.query." in key]:
        parts = [key.replace(".query.", f".{name}.") for name in ("query", "key", "value")]
        made[key.replace(".query.", ".qkv.")] = torch.cat([made.pop(part) for part in parts])
    return made


_LAYER = r"backbone\.encoder\.layer\.(\d+)\."
_OURS = r"net.backbone.net.blocks.\1."
_TRANSFORMERS = (
    (r"backbone\.embeddings\.position_embeddings", "net.backbone.net.pos_embed"),
    (
        r"backbone\.embeddings\.patch_embeddings\.projection\.(.+)",
        r"net.backbone.net.patch_embed.proj.\1",
    ),
    (rf"{_LAYER}layernorm_before\.(.+)", rf"{_OURS}norm1.\2"),
    (rf"{_LAYER}layernorm_after\.(.+)", rf"{_OURS}norm2.\2"),
    (rf"{_LAYER}attention\.attention\.qkv\.(.+)", rf"{_OURS}attn.qkv.\2"),
    (rf"{_LAYER}attention\.output\.dense\.(.+)", rf"{_OURS}attn.proj.\2"),
    (rf"{_LAYER}mlp\.(fc[12]\..+)", rf"{_OURS}mlp.\2"),
    (r"backbone\.layernorm\.(.+)", r"net.backbone.net.norm.\1"),
    (r"head\.conv\.(.+)", r"net.head.maps.\1"),
    (r"head\.deconv1\.(.+)", r"net.neck.layers.0.0.\1"),
    (r"head\.batchnorm1\.(.+)", r"net.neck.layers.0.1.\1"),
    (r"head\.deconv2\.(.+)", r"net.neck.layers.1.0.\1"),
    (r"head\.batchnorm2\.(.+)", r"net.neck.layers.1.1.\1"),
)

TRANSFORMERS = KeyMap(
    _TRANSFORMERS,
    steps=(
        lambda state: _position_of_class_added("backbone.embeddings.position_embeddings", state),
        _joined,
    ),
)
