"""Skeletons of the body.

Sigmas: COCO from pycocotools; CrowdPose from its evaluation API (Li et al. 2019); AI Challenger and
MPII from mmpose; LSP, PARSE and FLIC have none published.
"""

from __future__ import annotations

from itertools import pairwise

from poselab.structures import Skeleton

_COCO_LIMBS = (
    ("left_ankle", "left_knee"),
    ("left_knee", "left_hip"),
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_eye", "right_eye"),
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
)


def _sides(*chains: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Limbs along each chain of joints, for both sides."""
    return tuple(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for chain in chains
        for a, b in pairwise(chain)
    )


COCO17 = Skeleton(
    name="coco17",
    keypoints=(
        "nose",
        *("left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
    limbs=_COCO_LIMBS,
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
        *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)

MPII16 = Skeleton(
    name="mpii16",
    keypoints=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
    limbs=(
        *_sides(("ankle", "knee", "hip"), ("wrist", "elbow", "shoulder")),
        *(("left_hip", "pelvis"), ("right_hip", "pelvis"), ("pelvis", "thorax")),
        *(("left_shoulder", "thorax"), ("right_shoulder", "thorax")),
        *(("thorax", "upper_neck"), ("upper_neck", "head_top")),
    ),
    sigmas=(
        *(0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026, 0.026, 0.026),
        *(0.062, 0.072, 0.179, 0.179, 0.072, 0.062),
    ),
)

CROWDPOSE14 = Skeleton(
    name="crowdpose14",
    keypoints=(
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
        *("left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
        *("head_top", "neck"),
    ),
    limbs=(
        *_sides(("ankle", "knee", "hip", "shoulder", "elbow", "wrist")),
        *(("left_hip", "right_hip"), ("left_shoulder", "neck"), ("right_shoulder", "neck")),
        ("head_top", "neck"),
    ),
    sigmas=(
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107),
        *(0.087, 0.087, 0.089, 0.089, 0.079, 0.079),
    ),
)

AIC14 = Skeleton(
    name="aic14",
    keypoints=(
        *("right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("right_hip", "right_knee", "right_ankle"),
        *("left_hip", "left_knee", "left_ankle"),
        *("head_top", "neck"),
    ),
    limbs=(
        *_sides(("wrist", "elbow", "shoulder", "hip", "knee", "ankle")),
        *(("left_hip", "right_hip"), ("left_shoulder", "neck"), ("right_shoulder", "neck")),
        ("head_top", "neck"),
    ),
    sigmas=(
        *(0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642),
        *(0.03686941, 0.01981803, 0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173),
    ),
)

LSP14 = Skeleton(
    name="lsp14",
    keypoints=(
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("neck", "head_top"),
    ),
    limbs=(
        *_sides(("ankle", "knee", "hip", "shoulder", "elbow", "wrist")),
        *(("left_hip", "right_hip"), ("left_shoulder", "neck"), ("right_shoulder", "neck")),
        ("neck", "head_top"),
    ),
)

FLIC11 = Skeleton(
    name="flic11",
    keypoints=(
        *("left_shoulder", "left_elbow", "left_wrist"),
        *("right_shoulder", "right_elbow", "right_wrist"),
        *("left_hip", "right_hip", "left_eye", "right_eye", "nose"),
    ),
    limbs=(
        *_sides(("wrist", "elbow", "shoulder", "hip")),
        *(("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")),
        *(("left_eye", "nose"), ("right_eye", "nose")),
    ),
)

PARSE14 = Skeleton(
    name="parse14",
    keypoints=(
        *("left_ankle", "left_knee", "left_hip", "right_hip", "right_knee", "right_ankle"),
        *("left_wrist", "left_elbow", "left_shoulder"),
        *("right_shoulder", "right_elbow", "right_wrist"),
        *("neck", "head_top"),
    ),
    limbs=LSP14.limbs,
)

FLIC10 = Skeleton(
    name="flic10",
    keypoints=(
        *("nose", "neck"),
        *("right_shoulder", "right_elbow", "right_wrist", "right_hip"),
        *("left_shoulder", "left_elbow", "left_wrist", "left_hip"),
    ),
    limbs=(
        *_sides(("wrist", "elbow", "shoulder", "hip")),
        *(("left_hip", "right_hip"), ("left_shoulder", "neck"), ("right_shoulder", "neck")),
        ("nose", "neck"),
    ),
)
