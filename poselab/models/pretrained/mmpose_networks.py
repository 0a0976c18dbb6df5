"""Keys of the networks that mmpose builds of mmcv's ConvModule: Lite-HRNet, CPM and hourglass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.models.pretrained.key_map import KeyMap

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.pretrained.key_map import State, Step

_UNUSED = (r"data_preprocessor\..+", r"ema_.+")
_FINAL_LAYER = (r"(?:keypoint_)?head\.final_layer\.(.+)", r"net.head.final_layer.\1")
_CONV_MODULE = {".conv.": ".0.", ".bn.": ".1."}


def _replaced(words: dict[str, str]) -> Step:
    """A step that replaces parts of keys, one after the other."""

    def step(state: State) -> dict[str, Tensor]:
        made = dict(state)
        for theirs, ours in words.items():
            made = {key.replace(theirs, ours): value for key, value in made.items()}
        return made

    return step


_STAGE = r"backbone\.stage(\d)\.(\d+)\."
_OUR_STAGE = r"net.backbone.stages.\1.\2."
_SEPARABLE = ((0, "0.0"), (1, "0.1"), (2, "1.0"), (3, "1.1"))  # a flat list there, two pairs here
LITE_HRNET = KeyMap(
    (
        (r"backbone\.stem\.conv1\.(.+)", r"net.backbone.stem.conv.\1"),
        (r"backbone\.stem\.branch1\.(.+)", r"net.backbone.stem.first.\1"),
        (r"backbone\.stem\.expand_conv\.(.+)", r"net.backbone.stem.second.0.\1"),
        (r"backbone\.stem\.depthwise_conv\.(.+)", r"net.backbone.stem.second.1.\1"),
        (r"backbone\.stem\.linear_conv\.(.+)", r"net.backbone.stem.second.2.\1"),
        *(
            rename
            for theirs, ours in _SEPARABLE
            for rename in (
                (rf"backbone\.transition0\.0\.{theirs}\.(.+)", rf"net.backbone.enter.{ours}.\1"),
                (
                    rf"backbone\.transition(\d)\.\d\.0\.{theirs}\.(.+)",
                    rf"net.backbone.deeper.\1.{ours}.\2",
                ),
                (
                    rf"{_STAGE}fuse_layers\.(\d)\.(\d)\.(\d)\.{theirs}\.(.+)",
                    rf"{_OUR_STAGE}paths.\3.\4.\5.{ours}.\6",
                ),
            )
        ),
        (rf"{_STAGE}fuse_layers\.(.+)", rf"{_OUR_STAGE}paths.\3"),
        (
            rf"{_STAGE}layers\.(\d)\.cross_resolution_weighting\.conv1\.(.+)",
            rf"{_OUR_STAGE}blocks.\3.across.squeeze.\4",
        ),
        (
            rf"{_STAGE}layers\.(\d)\.cross_resolution_weighting\.conv2\.(.+)",
            rf"{_OUR_STAGE}blocks.\3.across.excite.\4",
        ),
        (
            rf"{_STAGE}layers\.(\d)\.depthwise_convs\.(\d)\.(.+)",
            rf"{_OUR_STAGE}blocks.\3.within.\4.0.\5",
        ),
        (
            rf"{_STAGE}layers\.(\d)\.spatial_weighting\.(\d)\.conv1\.0\.(.+)",
            rf"{_OUR_STAGE}blocks.\3.within.\4.1.squeeze.\5",
        ),
        (
            rf"{_STAGE}layers\.(\d)\.spatial_weighting\.(\d)\.conv2\.0\.(.+)",
            rf"{_OUR_STAGE}blocks.\3.within.\4.1.excite.\5",
        ),
        *(
            (
                rf"backbone\.head_layer\.projects\.{3 - level}\.{theirs}_conv\.(.+)",
                rf"net.backbone.ascent.layers.{level}.{ours}.\1",
            )
            for level in range(4)
            for ours, theirs in enumerate(("depthwise", "pointwise"))
        ),
        _FINAL_LAYER,
    ),
    _UNUSED,
    (_replaced(_CONV_MODULE),),
)

CPM = KeyMap(
    (
        (r"backbone\.stem\.([024]\..+)", r"net.backbone.towers.0.\1"),
        (r"backbone\.middle\.(.+)", r"net.backbone.towers.1.\1"),
        (r"backbone\.stem\.9\.0\.(.+)", r"net.head.first.3.\1"),
        *(
            (rf"backbone\.stem\.{theirs}\.(.+)", rf"net.head.first.{ours}.\1")
            for ours, theirs in enumerate((6, 7, 8))
        ),
        (r"backbone\.middle_conv\.(\d)\.0\.(.+)", r"net.head.contexts.\1.\2"),
        (r"backbone\.cpm_stages\.(\d)\.model\.(.+)", r"net.head.stages.\1.\2"),
        (r"backbone\.out_convs\.(\d)\.0\.(.+)", r"net.head.stages.\1.3.\2"),
        (r"backbone\.out_convs\.(\d)\.1\.0\.(.+)", r"net.head.stages.\1.4.\2"),
    ),
    _UNUSED,
    (_replaced(_CONV_MODULE),),
)

_BASIC_BLOCK = {
    ".conv1.": ".first.0.",
    ".bn1.": ".first.1.",
    ".conv2.": ".second.0.",
    ".bn2.": ".second.1.",
    ".downsample.": ".shortcut.",
}
_HOURGLASS = {"up1.": "skip.", "low1.": "down.", "low2.": "inner.", "low3.": "up."}
HOURGLASS = KeyMap(
    (
        (r"backbone\.stem\.0\.(.+)", r"net.backbone.stem.0.\1"),
        (r"backbone\.stem\.1\.0\.(.+)", r"net.backbone.stem.1.\1"),
        (r"backbone\.hourglass_modules\.0\.(.+)", r"net.backbone.hourglass.\1"),
        (r"backbone\.out_convs\.0\.(.+)", r"net.backbone.out.\1"),
        (r"head\.multi_final_layers\.0\.(.+)", r"net.head.final_layer.\1"),
    ),
    (*_UNUSED, r"backbone\.inters\..+"),  # before a second hourglass, which it has not
    (_replaced({**_CONV_MODULE, **_BASIC_BLOCK, **_HOURGLASS}),),
)
