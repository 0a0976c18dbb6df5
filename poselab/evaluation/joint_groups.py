"""Joints pooled as published tables print them: head, shoulder, elbow, wrist, hip, knee, ankle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def rates(right: Floats, labelled: Floats, skeleton: Skeleton) -> dict[str, float]:
    """Fractions by key suffix from how many of each joint (K,) are right and how many labelled.

    "" is the fraction of all labelled joints, "/groups" the mean over the joint groups, each the
    mean of its joints; "/head" is the head top alone where there is one, as in the MPII tables of
    the HRNet code. NaN where nothing is labelled.
    """
    joint = np.divide(right, labelled, out=np.full(len(right), np.nan), where=labelled > 0)
    groups = {group: _members(skeleton, group) for group in GROUPS}
    counted = scored(skeleton)
    total = labelled[counted].sum()
    values = {
        "": float(right[counted].sum() / total) if total else float("nan"),
        "/groups": _mean(_mean(joint[members]) for members in groups.values() if members),
    }
    if "head_top" in skeleton.keypoints:
        groups["head"] = [skeleton.index("head_top")]
    return values | {f"/{group}": _mean(joint[members]) for group, members in groups.items()}


def _members(skeleton: Skeleton, group: str) -> list[int]:
    if group == "head":
        return [k for k, name in enumerate(skeleton.keypoints) if name in HEAD]
    return [k for k, name in enumerate(skeleton.keypoints) if name.endswith(f"_{group}")]


def _mean(values: Iterable[float] | Floats) -> float:
    """Mean of what is not NaN."""
    numbers = np.array(list(values))
    there = numbers[~np.isnan(numbers)]
    return float(there.mean()) if there.size else float("nan")
