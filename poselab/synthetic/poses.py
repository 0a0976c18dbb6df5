"""Families of poses: ranges of joint angles, sampled alike for left and right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from poselab.synthetic.body import CENTRE, CENTRE_LIMITS, SIDE, SIDE_LIMITS, Angles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.structures import Floats

Range = tuple[float, float]
_ONE_ARM_UP = {"shoulder_flex": (60, 170), "shoulder_abduct": (0, 45), "elbow_flex": (0, 70)}
_ARMS_DOWN = {"shoulder_flex": (-20, 25), "shoulder_abduct": (4, 22), "elbow_flex": (0, 40)}
_REST = {"hip_flex": (-6, 12), "hip_abduct": (0, 12), "knee_flex": (0, 14), **_ARMS_DOWN}
_EASY_CENTRE = {
    "pitch": (-4, 6),
    "roll": (-5, 5),
    "spine_flex": (-6, 14),
    "spine_side": (-7, 7),
    "spine_twist": (-14, 14),
    "neck_flex": (-16, 22),
    "neck_side": (-12, 12),
    "neck_twist": (-45, 45),
}
_EASY_SIDE = {
    "shoulder_twist": (-30, 40),
    "wrist_flex": (-20, 25),
    "hip_twist": (-18, 10),
    "ankle_flex": (-5, 12),
    **_REST,
}


@dataclass(frozen=True)
class Family:
    """Ranges in degrees that replace those of a relaxed stance; ``near`` and ``far`` are
    left and right, or the reverse, at random.

    lift is the range in metres by which the lowest point floats above the ground.
    """

    share: float
    near: Mapping[str, Range] = field(default_factory=dict)
    far: Mapping[str, Range] | None = None
    centre: Mapping[str, Range] = field(default_factory=dict)
    lift: Range = (0.0, 0.0)


FAMILIES = {
    "standing": Family(3.0),
    "hands_busy": Family(
        2.0,
        {"shoulder_flex": (5, 55), "elbow_flex": (45, 135), "shoulder_twist": (0, 60)},
    ),
    "arms_akimbo": Family(
        0.7,
        {
            "shoulder_flex": (-35, -12),
            "shoulder_abduct": (28, 50),
            "elbow_flex": (75, 110),
            "shoulder_twist": (40, 65),
        },
    ),
    "walking": Family(
        2.5,
        {"hip_flex": (12, 40), "knee_flex": (2, 35), "shoulder_flex": (-42, -8)},
        {"hip_flex": (-20, 0), "knee_flex": (8, 55), "shoulder_flex": (10, 45)},
    ),
    "running": Family(
        1.3,
        {"hip_flex": (40, 85), "knee_flex": (50, 105), "shoulder_flex": (-50, -15)}
        | {"elbow_flex": (65, 115)},
        {"hip_flex": (-20, 5), "knee_flex": (5, 95), "shoulder_flex": (15, 65)}
        | {"elbow_flex": (65, 115), "ankle_flex": (5, 40)},
        {"spine_flex": (0, 22), "pitch": (0, 15)},
        lift=(0.0, 0.15),
    ),
    "sitting": Family(
        1.6,
        {"hip_flex": (72, 105), "knee_flex": (60, 110), "hip_abduct": (0, 22)}
        | {"shoulder_flex": (0, 60), "elbow_flex": (10, 110)},
        centre={"pitch": (-18, 6)},
    ),
    "reaching": Family(
        1.6,
        _ONE_ARM_UP,
        {"shoulder_flex": (-20, 50), "elbow_flex": (0, 80)},
        {"spine_side": (-20, 20), "spine_twist": (-30, 30)},
    ),
    "arms_up": Family(
        1.3,
        {"shoulder_flex": (-5, 15), "shoulder_abduct": (75, 163)}
        | {"elbow_flex": (0, 80), "shoulder_twist": (-60, -10)},
    ),
    "pointing": Family(1.2, {"shoulder_abduct": (45, 110), "elbow_flex": (0, 50)}),
    "crouching": Family(
        1.1,
        {"hip_flex": (75, 118), "knee_flex": (80, 132), "hip_abduct": (3, 35)}
        | {"shoulder_flex": (20, 85), "elbow_flex": (5, 100), "ankle_flex": (-20, 5)},
        centre={"pitch": (10, 35), "spine_flex": (5, 35), "neck_flex": (-38, 0)},
    ),
    "lunging": Family(
        1.0,
        {"hip_flex": (55, 95), "knee_flex": (50, 95), "shoulder_flex": (-20, 90)},
        {"hip_flex": (-20, 0), "knee_flex": (10, 60), "shoulder_flex": (-30, 60)},
        {"pitch": (-5, 20)},
    ),
    "bending": Family(
        0.9,
        {"hip_flex": (25, 70), "knee_flex": (5, 40), "shoulder_flex": (40, 110)},
        centre={"pitch": (20, 45), "spine_flex": (20, 60), "neck_flex": (-35, 10)},
    ),
    "jumping": Family(
        1.0,
        {"hip_flex": (-15, 70), "hip_abduct": (5, 42), "knee_flex": (5, 95)}
        | {"shoulder_abduct": (20, 155), "ankle_flex": (10, 45), "elbow_flex": (0, 60)},
        centre={"roll": (-18, 18), "pitch": (-15, 25)},
        lift=(0.1, 0.6),
    ),
    "kicking": Family(
        0.8,
        {"hip_flex": (45, 110), "knee_flex": (0, 50), "shoulder_abduct": (10, 70)},
        {"hip_flex": (-12, 10), "knee_flex": (0, 25), "shoulder_abduct": (10, 80)},
        {"pitch": (-25, 5)},
    ),
    "anything": Family(
        1.2,
        {
            "shoulder_flex": (-40, 150),
            "shoulder_abduct": (-5, 110),
            "shoulder_twist": (-50, 60),
            "elbow_flex": (0, 140),
            "wrist_flex": (-50, 60),
            "hip_flex": (-18, 100),
            "hip_abduct": (-10, 40),
            "knee_flex": (0, 115),
            "ankle_flex": (-15, 40),
        },
        centre={"pitch": (-30, 45), "roll": (-25, 25), "spine_flex": (-20, 45)}
        | {"spine_side": (-25, 25), "spine_twist": (-35, 35), "neck_twist": (-60, 60)},
        lift=(0.0, 0.2),
    ),
}


def _table(limits: Mapping[str, Range], *layers: Mapping[str, Range]) -> Floats:
    """Ranges (D, 2) in radians by the last of the layers that has one, clipped to the limits."""
    merged = {name: ranges for layer in layers for name, ranges in layer.items()}
    rows = np.array([merged[name] for name in limits], dtype=float)
    low, high = np.array(list(limits.values())).T
    return np.asarray(np.deg2rad(np.clip(rows, low[:, None], high[:, None])))


_SHARES = np.cumsum([family.share for family in FAMILIES.values()])
_CENTRES = np.stack([_table(CENTRE_LIMITS, _EASY_CENTRE, f.centre) for f in FAMILIES.values()])
_SIDES = np.stack(
    [
        np.stack([_table(SIDE_LIMITS, _EASY_SIDE, side or f.near) for side in (f.near, f.far)])
        for f in FAMILIES.values()
    ]
)
_LIFTS = np.array([family.lift for family in FAMILIES.values()])


def sample_poses(rng: np.random.Generator, instances: int, turn: float) -> tuple[Angles, Floats]:
    """Sample joint angles and the height (P,), in metres, of each person above the ground.

    People turn by at most ``turn`` degrees away from the camera.
    """
    family = np.searchsorted(_SHARES, rng.random(instances) * _SHARES[-1], side="right")
    swapped = rng.random(instances) < 0.5
    ranges = np.where(swapped[:, None, None, None], _SIDES[family][:, ::-1], _SIDES[family])
    sides = _interpolate(ranges, rng.random((instances, 2, len(SIDE))))
    centre = _interpolate(_CENTRES[family], rng.random((instances, len(CENTRE))))
    lift = _interpolate(_LIFTS[family], rng.random(instances))
    return Angles(np.deg2rad(turn) * rng.uniform(-1.0, 1.0, instances), centre, sides), lift


def _interpolate(ranges: Floats, share: Floats) -> Floats:
    return np.asarray(ranges[..., 0] + (ranges[..., 1] - ranges[..., 0]) * share)
