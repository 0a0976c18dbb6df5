"""Angles that several tests pose bodies with."""

from __future__ import annotations

import numpy as np

from poselab.synthetic.body import CENTRE, SIDE, Angles

TURNING = [
    CENTRE[name] for name in ("roll", "spine_side", "spine_twist", "neck_side", "neck_twist")
]


def flipped(angles: Angles) -> Angles:
    """The angles of the person in the flip."""
    centre = angles.centre.copy()
    centre[:, TURNING] *= -1
    return Angles(-angles.yaw, centre, angles.sides[:, ::-1])


def upright(instances: int) -> Angles:
    return Angles(
        np.zeros(instances), np.zeros((instances, len(CENTRE))), np.zeros((instances, 2, len(SIDE)))
    )
