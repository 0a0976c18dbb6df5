"""Joints pooled as published tables print them: head, shoulder, elbow, wrist, hip, knee, ankle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.fractions import fraction

if TYPE_CHECKING:
    from poselab.structures import Floats, Skeleton

GROUPS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
HEAD = frozenset(
    {"head_top", "upper_neck", "neck", "head", "nose", "left_eye", "right_eye"}
    | {"left_ear", "right_ear"}
)
UNSCORED = frozenset({"pelvis", "thorax"})


def scored(skeleton: Skeleton) -> list[int]:
    """Positions of the joints that PCK counts: all but pelvis and thorax."""
    return [k for k, name in enumerate(skeleton.keypoints) if name not in UNSCORED]


def rates(right: Floats, labelled: Floats, skeleton: Skeleton) -> dict[str, Floats]:
    """Fractions (...) by key suffix from how many of each joint (..., K) are right and labelled.

    "" is the fraction of all labelled joints, "/groups" the mean over the joint groups, each the
    mean of its joints; on MPII "/head" is the head top alone, as in the tables of the HRNet code.
    NaN where nothing is labelled.
    """
    joint = fraction(right, labelled)
    names = list(enumerate(skeleton.keypoints))
    groups = {group: [k for k, name in names if name.endswith(f"_{group}")] for group in GROUPS}
    groups["head"] = [k for k, name in names if name in HEAD]
    counted = scored(skeleton)
    pooled = fraction(right[..., counted].sum(axis=-1), labelled[..., counted].sum(axis=-1))
    means = [_mean(joint[..., members]) for members in groups.values() if members]
    values = {"": pooled, "/groups": _mean(np.stack(means, axis=-1) if means else joint[..., :0])}
    if {"head_top", "upper_neck"} <= set(skeleton.keypoints):
        groups["head"] = [skeleton.index("head_top")]
    return values | {f"/{group}": _mean(joint[..., members]) for group, members in groups.items()}


def _mean(values: Floats) -> Floats:
    """Mean (...) of what is not NaN along the last axis."""
    there = ~np.isnan(values)
    return fraction(np.where(there, values, 0.0).sum(axis=-1), there.sum(axis=-1))
