"""Where errors happen: their shares by joint, size, crowding and visibility."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE, GROUPING, SCORE
from poselab.evaluation.diagnosis.keypoint_errors import UNKNOWN, Kind
from poselab.evaluation.metrics.crowding import overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.structures import Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

SIZES = ("small", "medium", "large")
SIDES = (32**2, 96**2)
OVERLAPS = (0.0, 0.1, 0.3, 0.5)


class Row(NamedTuple):
    """How many errors of a kind a bin of a group holds, and which share that is of all it could be.

    Kinds of joints and grouping: of the bin's labelled joints that a pose answers for. Score and
    false negative: of the bin's people. NaN where the bin is empty.
    """

    group: str
    bin: str
    kind: str
    count: int  # type: ignore[assignment]  # a field instead of the method of tuples
    share: float


def breakdown(diagnosis: Diagnosis, annotations: Annotations) -> dict[str, list[Row]]:
    """Rows by joint, size, crowding and visibility, the groups that are the keys.

    Sizes are COCO's, a person of 32² or 96² pixels² counting as the larger. Crowding is the
    greatest IoU of a person's box with that of another person of the image, and 0 has a bin of
    its own. Visibility is that of each joint as labelled.
    """
    joints = dict(enumerate(annotations.skeleton.keypoints))
    of_joint = np.broadcast_to(np.arange(len(joints)), diagnosis.joint.shape)
    size = np.digitize(annotations.areas, SIDES)
    crowd = np.digitize(overlaps(annotations), OVERLAPS, right=True)
    return {
        "joint": _of_joints("joint", list(joints.values()), of_joint, diagnosis),
        "size": _of_people("size", SIZES, size, diagnosis),
        "crowding": _of_people("crowding", _overlap_names(), crowd, diagnosis),
        "visibility": _of_joints(
            "visibility", ("occluded", "visible"), annotations.visibility.astype(int) - 1, diagnosis
        ),
    }


def _overlap_names() -> list[str]:
    """Ranges without their lower ends, after one for 0 alone."""
    between = [f"{low:g} to {high:g}" for low, high in pairwise(OVERLAPS)]
    return [f"{OVERLAPS[0]:g}", *between, f"over {OVERLAPS[-1]:g}"]


def _of_people(group: str, names: Sequence[str], bins: Ints, diagnosis: Diagnosis) -> list[Row]:
    """Rows of a grouping of people (M,)."""
    of_joint = np.broadcast_to(bins[:, None], diagnosis.joint.shape)
    instances = {SCORE: diagnosis.misranked, FALSE_NEGATIVE: diagnosis.missed}
    rows = _of_joints(group, names, of_joint, diagnosis)
    return rows + _rows(group, names, bins, instances, diagnosis.scored)


def _of_joints(group: str, names: Sequence[str], bins: Ints, diagnosis: Diagnosis) -> list[Row]:
    """Rows of a grouping of joints (M, K)."""
    kinds: dict[str, Mask] = {kind: diagnosis.is_kind(kind) for kind in Kind}
    kinds[GROUPING] = diagnosis.grouping
    return _rows(group, names, bins, kinds, diagnosis.joint != UNKNOWN)


def _rows(
    group: str, names: Sequence[str], bins: Ints, kinds: Mapping[str, Mask], of: Mask
) -> list[Row]:
    """Counts of each kind in each bin, and shares among what ``of`` marks."""
    total = np.bincount(bins[of], minlength=len(names))
    counts = {kind: np.bincount(bins[m & of], minlength=len(names)) for kind, m in kinds.items()}
    return [
        Row(group, name, str(kind), int(count[n]), _share(int(count[n]), int(total[n])))
        for n, name in enumerate(names)
        for kind, count in counts.items()
    ]


def _share(count: int, total: int) -> float:
    return count / total if total else float("nan")
