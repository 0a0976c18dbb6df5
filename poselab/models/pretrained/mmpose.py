"""Keys of mmpose 1.x (open-mmlab/mmpose, mmpose/models), and of mmpretrain's transformer in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.models.pretrained.key_map import KeyMap
from poselab.models.pretrained.repositories import (
    HRNET,
    RESNET,
    TRUNK,
    deconvolutions,
    flow_of_one_axis,
    flow_renames,
)
from poselab.models.pretrained.vitpose import transformer

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.pretrained.key_map import State

_HEAD = r"(?:keypoint_)?head\."  # the longer name is of 0.x, whose heatmap heads are the same
_FINAL_LAYER = (rf"{_HEAD}final_layer\.(.+)", r"net.head.final_layer.\1")
_NORMALISER = (r"data_preprocessor\..+",)

HEATMAP_RESNET = KeyMap(
    ((rf"backbone\.{RESNET}", TRUNK), *deconvolutions(rf"{_HEAD}deconv_layers\.", 3), _FINAL_LAYER),
    _NORMALISER,
)
HEATMAP_HRNET = KeyMap(((rf"backbone\.{HRNET}", TRUNK), _FINAL_LAYER), _NORMALISER)
INTEGRAL = KeyMap(
    (
        (rf"backbone\.{RESNET}", TRUNK),
        *deconvolutions(r"head\.simplebaseline_head\.deconv_layers\.", 3),
        (r"head\.simplebaseline_head\.final_layer\.(.+)", r"net.head.final_layer.\1"),
    ),
    (*_NORMALISER, r"head\.linspace_[xy]"),
)
SIMCC_RESNET = KeyMap(
    (
        (rf"backbone\.{RESNET}", TRUNK),
        *deconvolutions(r"head\.deconv_head\.deconv_layers\.", 3),
        (r"head\.deconv_head\.final_layer\.(.+)", r"net.head.final_layer.\1"),
        (r"head\.mlp_head_([xy])\.(.+)", r"net.head.\1.\2"),
    ),
    _NORMALISER,
)

_CSPNEXT = (r"backbone\.(.+)", r"net.backbone.\1")  # our names are theirs
# With averaged weights the plain keys hold the averages: mmengine swaps them when it saves.
_UNUSED = (*_NORMALISER, r"ema_.+")
HEATMAP_CSPNEXT = KeyMap(
    (_CSPNEXT, *deconvolutions(rf"{_HEAD}deconv_layers\.", 3), _FINAL_LAYER),
    _UNUSED,
)
RTMPOSE = KeyMap(
    (
        _CSPNEXT,
        (r"head\.final_layer\.(.+)", r"net.head.final_layer.\1"),
        (r"head\.mlp\.0\.g", "net.head.norm.gain"),
        (r"head\.mlp\.1\.(.+)", r"net.head.tokens.\1"),
        (r"head\.gau\.ln\.g", "net.head.attention.norm.gain"),
        (r"head\.gau\.uv\.(.+)", r"net.head.attention.split.\1"),
        (r"head\.gau\.gamma", "net.head.attention.scale"),
        (r"head\.gau\.beta", "net.head.attention.shift"),
        (r"head\.gau\.o\.(.+)", r"net.head.attention.out.\1"),
        (r"head\.gau\.res_scale\.scale", "net.head.attention.residual"),
        (r"head\.cls_([xy])\.(.+)", r"net.head.\1.\2"),
    ),
    _UNUSED,
)


def _centred(state: State) -> dict[str, Tensor]:
    """Coordinates from 0 to 1 as ours from -0.5 to 0.5."""
    return {**state, "head.fc.bias": state["head.fc.bias"] - 0.5}


DEEPPOSE = KeyMap(
    ((rf"backbone\.{RESNET}", TRUNK), (r"head\.fc\.(.+)", r"net.head.coordinates.\1")),
    _NORMALISER,
    (_centred,),
)


def _split_sigma(state: State) -> dict[str, Tensor]:
    """One layer of (x, y, σx, σy) per keypoint as two, with centred coordinates."""
    made = dict(state)
    for part in ("weight", "bias"):
        both = made.pop(f"head.fc.{part}")
        both = both.reshape(-1, 4, *both.shape[1:])
        made[f"head.xy.{part}"], made[f"head.sigma.{part}"] = (
            piece.flatten(0, 1) for piece in (both[:, :2], both[:, 2:])
        )
    made["head.xy.bias"] = made["head.xy.bias"] - 0.5
    return made


RLE = KeyMap(
    renames=(
        (rf"backbone\.{RESNET}", TRUNK),
        (r"head\.xy\.(.+)", r"net.head.coordinates.\1"),
        (r"head\.sigma\.(.+)", r"net.head.sigma.\1"),
        *flow_renames(r"head\.loss_module\.flow_model\."),
    ),
    unused=(*_NORMALISER, r"head\.loss_module\.flow_model\.(loc|cov|mask)"),
    steps=(
        _split_sigma,
        lambda state: flow_of_one_axis(state, "head.loss_module.flow_model."),
    ),
)

_TRANSFORMER = transformer(
    "pos_embed patch_embed.projection ln1",
    "layers",
    "ln1 ln2 attn.qkv attn.proj ffn.layers.0.0 ffn.layers.1",
)
VITPOSE = KeyMap(
    (*_TRANSFORMER, *deconvolutions(r"head\.deconv_layers\.", 2), _FINAL_LAYER), _NORMALISER
)
VITPOSE_SIMPLE = KeyMap((*_TRANSFORMER, _FINAL_LAYER), _NORMALISER)
