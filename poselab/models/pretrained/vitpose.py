"""Keys of ViTPose in the authors' repository and in transformers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from poselab.models.pretrained.key_map import KeyMap
from poselab.models.pretrained.repositories import deconvolutions

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.pretrained.key_map import State


def _add_class_position(key: str, state: State) -> dict[str, Tensor]:
    """Positions of patches plus that of the class token, which ViTPose adds to each of them."""
    position = state[key]
    return {**state, key: position[:, 1:] + position[:, :1]}


_OUTER = ("pos_embed", "patch_embed.proj", "norm")
_INNER = ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")


def transformer(outer: str, layers: str, inner: str) -> tuple[tuple[str, str], ...]:
    """Renames of the parts of a plain vision transformer.

    outer: their names of positions, patches and the last norm; inner: their names of both norms,
    attention and MLP of a layer, all separated by spaces; layers: their name of the list of layers.
    """
    pairs = [
        (rf"backbone\.{re.escape(theirs)}(\..+)?", rf"net.backbone.net.{ours}\1")
        for ours, theirs in zip(_OUTER, outer.split(), strict=True)
    ]
    layer = rf"backbone\.{re.escape(layers)}\.(\d+)\."
    pairs += [
        (rf"{layer}{re.escape(theirs)}(\..+)", rf"net.backbone.net.blocks.\1.{ours}\2")
        for ours, theirs in zip(_INNER, inner.split(), strict=True)
    ]
    return tuple(pairs)


_REPOSITORY = (
    *transformer("pos_embed patch_embed.proj last_norm", "blocks", " ".join(_INNER)),
    (r"keypoint_head\.final_layer\.(.+)", r"net.head.final_layer.\1"),
)
_STEPS = (lambda state: _add_class_position("backbone.pos_embed", state),)

REPOSITORY = KeyMap(
    (*_REPOSITORY, *deconvolutions(r"keypoint_head\.deconv_layers\.", 2)), steps=_STEPS
)
REPOSITORY_SIMPLE = KeyMap(_REPOSITORY, steps=_STEPS)


def _joined(state: State) -> dict[str, Tensor]:
    """Queries, keys and values of each layer as one tensor."""
    import torch  # here, so that the catalogue can be listed without it

    made = dict(state)
    for key in [key for key in state if ".attention.query." in key]:
        parts = [key.replace(".query.", f".{name}.") for name in ("query", "key", "value")]
        made[key.replace(".query.", ".qkv.")] = torch.cat([made.pop(part) for part in parts])
    return made


_TRANSFORMERS = (
    *transformer(
        "embeddings.position_embeddings embeddings.patch_embeddings.projection layernorm",
        "encoder.layer",
        "layernorm_before layernorm_after attention.attention.qkv attention.output.dense "
        "mlp.fc1 mlp.fc2",
    ),
    (r"head\.conv\.(.+)", r"net.head.final_layer.\1"),
    (r"head\.deconv1\.(.+)", r"net.neck.layers.0.0.\1"),
    (r"head\.batchnorm1\.(.+)", r"net.neck.layers.0.1.\1"),
    (r"head\.deconv2\.(.+)", r"net.neck.layers.1.0.\1"),
    (r"head\.batchnorm2\.(.+)", r"net.neck.layers.1.1.\1"),
)
TRANSFORMERS = KeyMap(
    _TRANSFORMERS,
    steps=(
        lambda state: _add_class_position("backbone.embeddings.position_embeddings", state),
        _joined,
    ),
)
