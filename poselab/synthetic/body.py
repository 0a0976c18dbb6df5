"""The articulated body: its shape, its joint limits, and where a pose puts its joints.

World: x right, y up, z towards the camera, metres. Body frame: x to the person's left, y up, z
forward, so a person who is not turned faces the camera with the left hand on the image's right.
Lengths are fractions of stature (Drillis and Contini 1966, as drawn in Winter 2009, figure 4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats

JOINTS = (
    *("pelvis", "waist", "thorax", "upper_neck", "head", "head_top"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_fingers", "right_fingers", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle", "left_heel", "right_heel", "left_toes", "right_toes"),
)
JOINT_INDEX = {name: row for row, name in enumerate(JOINTS)}

# Degrees of freedom and their limits in degrees (American Academy of Orthopaedic Surgeons 1965,
# rounded inwards). Those of the sides are given for the left and mirrored for the right.
CENTRE_LIMITS = {
    "pitch": (-40.0, 60.0),
    "roll": (-30.0, 30.0),
    "spine_flex": (-25.0, 75.0),
    "spine_side": (-30.0, 30.0),
    "spine_twist": (-40.0, 40.0),
    "neck_flex": (-40.0, 45.0),
    "neck_side": (-35.0, 35.0),
    "neck_twist": (-65.0, 65.0),
}
SIDE_LIMITS = {
    "shoulder_flex": (-50.0, 175.0),
    "shoulder_abduct": (-10.0, 165.0),
    "shoulder_twist": (-60.0, 70.0),
    "elbow_flex": (0.0, 145.0),
    "wrist_flex": (-60.0, 70.0),
    "hip_flex": (-20.0, 120.0),
    "hip_abduct": (-15.0, 45.0),
    "hip_twist": (-40.0, 35.0),
    "knee_flex": (0.0, 135.0),
    "ankle_flex": (-20.0, 45.0),
}
CENTRE = {name: row for row, name in enumerate(CENTRE_LIMITS)}
SIDE = {name: row for row, name in enumerate(SIDE_LIMITS)}

_SIGN = np.array([1.0, -1.0])


class Angles(NamedTuple):
    """Radians: yaw (P,), centre (P, 8) in the order of CENTRE, sides (P, 2, 10) left then right."""

    yaw: Floats
    centre: Floats
    sides: Floats


class Shape(NamedTuple):
    """How people are built, each (P,): stature in metres, the rest factors about 1."""

    stature: Floats
    trunk: Floats
    arms: Floats
    legs: Floats
    shoulders: Floats
    hips: Floats
    head: Floats
    girth: Floats


class Bodies(NamedTuple):
    """Posed people in the world: joints (P, J, 3); frames of pelvis, chest and head (P, 3, 3).

    head_axes (P, 3) are the half-lengths of the skull along its own x, y, z.
    """

    joints: Floats
    pelvis: Floats
    chest: Floats
    head: Floats
    head_axes: Floats

    def moved(self, offset: Floats) -> Bodies:
        """The same people shifted by offset (P, 3)."""
        return self._replace(joints=self.joints + offset[:, None])


def sample_shapes(rng: np.random.Generator, instances: int) -> Shape:
    """Sample body shapes: children to tall adults, slim to stout."""
    adult = rng.random(instances) < 0.85
    stature = np.where(adult, rng.normal(1.71, 0.09, instances), rng.uniform(1.05, 1.5, instances))
    spread = np.clip(rng.normal(0.0, 1.0, (7, instances)), -2.0, 2.0)
    trunk, arms, legs, shoulders, hips, head, girth = (
        1.0 + spread * np.array([0.035, 0.04, 0.045, 0.07, 0.07, 0.06, 0.13])[:, None]
    )
    head = head * np.where(adult, 1.08, 1.28)
    return Shape(stature, trunk, arms, legs, shoulders, hips, head, girth)


def rotations(axis: int, angle: Floats) -> Floats:
    """Rotations (..., 3, 3) about one axis (0 x, 1 y, 2 z) by angles (...) in radians."""
    matrix = np.zeros((*angle.shape, 3, 3))
    a, b = ((1, 2), (2, 0), (0, 1))[axis]
    matrix[..., axis, axis] = 1.0
    matrix[..., a, a] = matrix[..., b, b] = np.cos(angle)
    matrix[..., b, a] = np.sin(angle)
    matrix[..., a, b] = -matrix[..., b, a]
    return matrix


def pose(shape: Shape, angles: Angles) -> Bodies:
    """Forward kinematics of all people at once; the pelvis lies at the world's origin."""
    joints = np.zeros((len(shape.stature), len(JOINTS), 3))
    pitch, roll, *spine_and_neck = angles.centre.T
    pelvis = rotations(1, angles.yaw) @ _swing(pitch, roll, np.zeros_like(roll))
    chest = pelvis @ _swing(*spine_and_neck[:3])
    head = chest @ _swing(*spine_and_neck[3:])
    _place_trunk(joints, shape, pelvis, chest, head)
    _place_arms(joints, shape, chest, angles.sides)
    _place_legs(joints, shape, pelvis, angles.sides)
    axes = np.array([0.046, 0.066, 0.056]) * (shape.head * shape.stature)[:, None]
    return Bodies(joints, pelvis, chest, head, axes)


def _swing(flex: Floats, side: Floats, twist: Floats) -> Floats:
    """``rotations(0, flex) @ rotations(2, side) @ rotations(1, twist)``, in fewer steps."""
    (cf, cs, ct), (sf, ss, st) = np.cos((flex, side, twist)), np.sin((flex, side, twist))
    rows = (
        *(cs * ct, -ss, cs * st),
        *(cf * ss * ct + sf * st, cf * cs, cf * ss * st - sf * ct),
        *(sf * ss * ct - cf * st, sf * cs, sf * ss * st + cf * ct),
    )
    return np.stack(rows, axis=-1).reshape(*flex.shape, 3, 3)


def _up(frame: Floats, length: Floats) -> Floats:
    return frame[..., :, 1] * length[..., None]


def _place_trunk(joints: Floats, shape: Shape, pelvis: Floats, chest: Floats, head: Floats) -> None:
    """Fill in the spine and the head of the array that :func:`pose` makes."""
    tall = shape.stature * shape.trunk
    joints[:, JOINT_INDEX["waist"]] = _up(pelvis, 0.095 * tall)
    joints[:, JOINT_INDEX["thorax"]] = joints[:, JOINT_INDEX["waist"]] + _up(chest, 0.195 * tall)
    neck = joints[:, JOINT_INDEX["thorax"]] + _up(chest, 0.052 * shape.stature)
    joints[:, JOINT_INDEX["upper_neck"]] = neck
    skull = 0.066 * shape.head * shape.stature
    forward = head[:, :, 2] * (0.012 * shape.stature)[:, None]
    joints[:, JOINT_INDEX["head"]] = neck + _up(head, 0.93 * skull) + forward
    joints[:, JOINT_INDEX["head_top"]] = joints[:, JOINT_INDEX["head"]] + _up(head, skull)


def _limb(
    joints: Floats, names: tuple[str, str], frame: Floats, bone: tuple[float, float], length: Floats
) -> None:
    """Place the second joints of both sides by a bone (down, forward) times ``length`` (P,) from
    the first ones, in frames (P, 2, 3, 3)."""
    start, end = (
        slice(JOINT_INDEX[f"left_{name}"], JOINT_INDEX[f"left_{name}"] + 2) for name in names
    )
    reach = frame[..., 2] * bone[1] - frame[..., 1] * bone[0]
    joints[:, end] = joints[:, start] + reach * length[:, None, None]


def _place_arms(joints: Floats, shape: Shape, chest: Floats, sides: Floats) -> None:
    across = chest[:, None, :, 0] * _SIGN[:, None]
    half = 0.106 * shape.stature * shape.shoulders
    shoulders = slice(JOINT_INDEX["left_shoulder"], JOINT_INDEX["left_shoulder"] + 2)
    joints[:, shoulders] = joints[:, [JOINT_INDEX["thorax"]]] + across * half[:, None, None]
    upper = chest[:, None] @ _ball(sides, "shoulder")
    lower = upper @ rotations(0, -sides[..., SIDE["elbow_flex"]])
    hand = lower @ rotations(0, -sides[..., SIDE["wrist_flex"]])
    long = shape.stature * shape.arms
    _limb(joints, ("shoulder", "elbow"), upper, (0.172, 0.0), long)
    _limb(joints, ("elbow", "wrist"), lower, (0.148, 0.0), long)
    _limb(joints, ("wrist", "fingers"), hand, (0.088, 0.0), long)


def _place_legs(joints: Floats, shape: Shape, pelvis: Floats, sides: Floats) -> None:
    across = pelvis[:, None, :, 0] * _SIGN[:, None]
    half = 0.056 * shape.stature * shape.hips
    joints[:, JOINT_INDEX["left_hip"] : JOINT_INDEX["left_hip"] + 2] = across * half[:, None, None]
    thigh = pelvis[:, None] @ _ball(sides, "hip")
    shank = thigh @ rotations(0, sides[..., SIDE["knee_flex"]])
    foot = shank @ rotations(0, sides[..., SIDE["ankle_flex"]])
    long = shape.stature * shape.legs
    _limb(joints, ("hip", "knee"), thigh, (0.245, 0.0), long)
    _limb(joints, ("knee", "ankle"), shank, (0.246, 0.0), long)
    _limb(joints, ("ankle", "heel"), foot, (0.028, -0.03), long)
    _limb(joints, ("ankle", "toes"), foot, (0.034, 0.105), long)


def _ball(sides: Floats, joint: str) -> Floats:
    """A ball joint (P, 2, 3, 3): raise forward, spread outward, turn inward."""
    flex, abduct, twist = (
        sides[..., SIDE[f"{joint}_{move}"]] for move in ("flex", "abduct", "twist")
    )
    return _swing(-flex, abduct * _SIGN, -twist * _SIGN)
