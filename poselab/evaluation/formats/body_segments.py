"""Poses given as body segments (sticks), by their ends, in the order of the PCP toolkit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats, Skeleton

ENDS = (0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11, 12, 13)
"""The joint of LSP or PARSE at each end: lower and upper legs, arms, head; then comes the torso."""
TORSO_ENDS = 2
UPPER_BODY_ENDS = 12


def joints_of_segments(ends: Floats, skeleton: Skeleton) -> Floats:
    """Joints (N, K, 2) of ends (N, 20, 2), each the mean of the ends that meet in it.

    What has another number of points is returned as it is. The torso's ends, the middle of the hips
    and that of the shoulders, are not needed.

    Raises:
        InputError: segments of FLIC, which have no hips.
    """
    if ends.ndim == 3 and ends.shape[1] == UPPER_BODY_ENDS and skeleton.name == "flic10":
        raise InputError(
            f"expected {len(skeleton)} keypoints, got the {UPPER_BODY_ENDS} ends of body segments, "
            "which have no hips; give the file of keypoints"
        )
    fourteen = skeleton.name in ("lsp14", "parse14")
    if ends.ndim != 3 or ends.shape[1] != len(ENDS) + TORSO_ENDS or not fourteen:
        return ends
    shares = np.equal.outer(np.arange(len(skeleton)), ENDS).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    joints: Floats = shares @ ends[:, : len(ENDS)]
    return joints
