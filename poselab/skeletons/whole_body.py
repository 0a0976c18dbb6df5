"""Skeletons with feet, face and hands: COCO-WholeBody and Halpe.

COCO-WholeBody (Jin et al. 2020): 17 of COCO, 6 of the feet, 68 of the face, 21 of each hand, with
the sigmas of its authors' evaluation code. Halpe (Fang et al. 2022): 26 of the body, then the same
face and hands, with its authors' sigmas, one value for all of face and hands.
The face is the 68 points of the 300-W annotation (Sagonas et al. 2013), which run along the jaw,
brows, nose, eyes, outer and inner lips; "right" is the person's right.
"""

from __future__ import annotations

from itertools import pairwise

from poselab.skeletons.body import COCO17
from poselab.structures import Skeleton

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_LINES = {
    "jaw": (0, 17),
    "brow": (17, 10),
    "nose_bridge": (27, 4),
    "nostril": (31, 5),
    "outer_lip": (48, 7),
    "outer_lower_lip": (55, 5),
    "inner_lip": (60, 5),
    "inner_lower_lip": (65, 3),
}
"""First point and count of the lines that run from one side of the face to the other."""

_LEFT_EYE = (45, 44, 43, 42, 47, 46)
"""The left eye's points that correspond to points 36 to 41 of the right eye."""


def _face() -> tuple[str, ...]:
    """Names of the 68 points; symmetric points differ only in the side."""
    names = [""] * 68
    for line, (first, count) in _LINES.items():
        for place in range(count):
            number, last = first + place, count - 1 - place
            if line == "nose_bridge":
                names[number] = f"{line}_{place}"
            elif place == last:
                names[number] = f"{line}_middle"
            else:
                right = place < last
                names[number] = f"{'right' if right else 'left'}_{line}_{min(place, last)}"
    for place, left in enumerate(_LEFT_EYE):
        names[36 + place], names[left] = f"right_eye_rim_{place}", f"left_eye_rim_{place}"
    return tuple(names)


def _hand(side: str) -> tuple[str, ...]:
    tips = tuple(f"{side}_{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5))
    return (f"{side}_hand_root", *tips)


def _extremity_limbs(side: str) -> tuple[tuple[str, str], ...]:
    """Limbs from the ankle to the foot and from the wrist along the fingers."""
    ankle, wrist, root = f"{side}_ankle", f"{side}_wrist", f"{side}_hand_root"
    foot = ((ankle, f"{side}_{part}") for part in ("big_toe", "small_toe", "heel"))
    chains = [[root, *(f"{side}_{f}_{joint}" for joint in range(1, 5))] for f in _FINGERS]
    return (*foot, (wrist, root), *(limb for chain in chains for limb in pairwise(chain)))


_EXTREMITIES = (*_extremity_limbs("left"), *_extremity_limbs("right"))
_FACE_SIGMAS = (
    *(0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032),
    *(0.037, 0.038, 0.043, 0.041, 0.045),
    *(0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015),
    *(0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010),
    *(0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034),
    *(0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007),
    *(0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008),
)
_HAND_SIGMAS = (
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024),
    *(0.022, 0.026, 0.017, 0.021, 0.021, 0.032, 0.020, 0.019, 0.022, 0.031),
)
_BODY_SIGMAS = COCO17.sigmas or ()

WHOLEBODY133 = Skeleton(
    name="wholebody133",
    keypoints=(
        *COCO17.keypoints,
        *("left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
        *_face(),
        *_hand("left"),
        *_hand("right"),
    ),
    limbs=(*COCO17.limbs, *_EXTREMITIES),
    sigmas=(
        *_BODY_SIGMAS,
        *(0.068, 0.066, 0.066, 0.092, 0.094, 0.094),
        *_FACE_SIGMAS,
        *_HAND_SIGMAS,
        *_HAND_SIGMAS,
    ),
)

HALPE136 = Skeleton(
    name="halpe136",
    keypoints=(
        *COCO17.keypoints,
        *("head_top", "neck", "pelvis"),
        *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe"),
        *("left_heel", "right_heel"),
        *_face(),
        *_hand("left"),
        *_hand("right"),
    ),
    limbs=(
        *COCO17.limbs,
        *(("head_top", "neck"), ("neck", "pelvis")),
        *_EXTREMITIES,
    ),
    sigmas=(*_BODY_SIGMAS, *(0.08,) * 3, *(0.089,) * 6, *(0.015,) * 110),
)
