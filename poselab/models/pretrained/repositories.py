"""Keys of the authors' repositories, most of which share HRNet's code and names.

SimpleBaseline: microsoft/human-pose-estimation.pytorch, lib/models/pose_resnet.py. HRNet:
leoxiaobin/deep-high-resolution-net.pytorch, lib/models/pose_hrnet.py; DARK (ilovepose/DarkPose) and
UDP (HuangJunJie2017/UDP-Pose) have the same. SimCC: leeyegy/SimCC. RLE:
Jeff-sjtu/res-loglikelihood-regression, rlepose/models/regression_nf.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.models.pretrained.key_map import KeyMap

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.models.pretrained.key_map import State

RESNET = r"((?:conv1|bn1|layer[1-4])\..+)"
HRNET = r"((?:conv[12]|bn[12]|layer1|transition[1-3]|stage[2-4])\..+)"
TRUNK = r"net.backbone.net.\1"


def deconvolutions(prefix: str, count: int) -> tuple[tuple[str, str], ...]:
    """Renames of convolution and normalisation of each upsampling layer, two of every three."""
    pairs = ((f"{3 * n + part}", f"{n}.{part}") for n in range(count) for part in (0, 1))
    return tuple(
        (rf"{prefix}{theirs}\.(.+)", rf"net.neck.layers.{ours}.\1") for theirs, ours in pairs
    )


_FINAL_LAYER = (r"final_layer\.(.+)", r"net.head.final_layer.\1")
_AXES = (r"mlp_head_([xy])\.(.+)", r"net.head.\1.\2")

POSE_RESNET = KeyMap(((RESNET, TRUNK), *deconvolutions(r"deconv_layers\.", 3), _FINAL_LAYER))
POSE_HRNET = KeyMap(((HRNET, TRUNK), _FINAL_LAYER))
SIMCC_RESNET = KeyMap((*POSE_RESNET.renames, _AXES))
SIMCC_HRNET = KeyMap((*POSE_HRNET.renames, _AXES))


def flow_of_one_axis(state: State, prefix: str) -> dict[str, Tensor]:
    """The weights of a flow whose networks map both axes, cut to ours, which map one to the other.

    The authors' networks get zero in place of the axis that moves, and their output for the other
    axis is multiplied by zero, so those columns and rows have no effect.
    """
    made = dict(state)
    couplings = {
        key.removeprefix(f"{prefix}s.").split(".")[0]
        for key in state
        if key.startswith(f"{prefix}s.")
    }
    for number in couplings:
        moved, kept = int(number) % 2, 1 - int(number) % 2
        for net in "st":
            first = f"{prefix}{net}.{number}.0.weight"
            made[first] = made[first][:, kept : kept + 1]
            for last in (f"{prefix}{net}.{number}.4.{part}" for part in ("weight", "bias")):
                made[last] = made[last][moved : moved + 1]
    return made


def flow_renames(prefix: str) -> tuple[tuple[str, str], ...]:
    """Renames of the scale and shift networks of a flow; ``prefix`` is a pattern."""
    return (
        (rf"{prefix}s\.(\d+)\.(.+)", r"loss.flow.scales.\1.0.\2"),
        (rf"{prefix}t\.(\d+)\.(.+)", r"loss.flow.shifts.\1.\2"),
    )


RLE = KeyMap(
    renames=(
        (rf"preact\.{RESNET}", TRUNK),
        (r"fc_coord\.linear\.(.+)", r"net.head.coordinates.\1"),
        (r"fc_sigma\.linear\.(.+)", r"net.head.sigma.\1"),
        *flow_renames(r"flow\."),
    ),
    unused=(r"flow\.mask", r"fc_layers\..+"),
    steps=(lambda state: flow_of_one_axis(state, "flow."),),
)
