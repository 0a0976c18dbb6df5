"""Scores of poses and of their joints beside an array of poses, or in its third coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.structures import Floats

_WORDS = ("score", "conf")


class Scores(NamedTuple):
    """Of poses (N,) and of their joints (N, K); ``words`` say where they come from, "" where there
    are none and all are 1."""

    of_poses: Floats
    of_joints: Floats
    words: str


def find_scores(poses: Floats, arrays: Mapping[str, Floats]) -> Scores:
    """Scores for poses (N, K, 2 or 3), from arrays whose names say score or confidence.

    Of joints alone, a pose's score is their mean.
    """
    count, joints = poses.shape[:2]
    named = {n: a for n, a in arrays.items() if any(word in n.lower() for word in _WORDS)}
    words: list[str] = []
    of_joints = np.ones((count, joints))
    if poses.shape[2] == 3 and np.isfinite(poses[..., 2]).all():
        of_joints = poses[..., 2].astype(np.float64)
        words.append("scores of joints are the third coordinates")
    for name, array in named.items():
        if array.shape in ((count, joints), (count, joints, 1)) and np.isfinite(array).all():
            of_joints = array.reshape(count, joints).astype(np.float64)
            words = [f"scores of joints are `{name}`"]
    of_poses = of_joints.mean(axis=1)
    for name, array in named.items():
        if array.size == count and max(array.shape) == count and np.isfinite(array).all():
            words.append(f"scores of poses are `{name}`")
            return Scores(array.ravel().astype(np.float64), of_joints, ", ".join(words))
    if words:
        words.append("those of poses their means")
    return Scores(of_poses, of_joints, ", ".join(words))
