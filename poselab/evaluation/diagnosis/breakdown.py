"""Where errors happen: their shares by joint, instance size, crowding and visibility."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE, GROUPING, SCORE
from poselab.evaluation.diagnosis.keypoint_errors import UNKNOWN, KeypointStatus
from poselab.evaluation.metrics.crowding import overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.structures import Ints, Mask


SIZES = ("small", "medium", "large")
AREA_EDGES = (32**2, 96**2)
OVERLAP_EDGES = (0.0, 0.1, 0.3, 0.5)


class ErrorShare(NamedTuple):
    """How many errors of one type a bin of a group has, and their share of all they could be.

    Keypoint errors and grouping: of the labelled keypoints of the bin's matched instances. Score
    errors and false negatives: of the bin's instances. NaN where the bin is empty.
    """

    group: str
    bin: str
    error: str
    count: int  # type: ignore[assignment]  # a field instead of the method of tuples
    share: float


def error_breakdown(diagnosis: Diagnosis, annotations: Annotations) -> dict[str, list[ErrorShare]]:
    """Shares by "joint", "size", "crowding" and "visibility".

    Sizes are COCO's; an instance of exactly 32² or 96² pixels² counts as the larger. Crowding is
    the greatest IoU of an instance's box with another box of the image, and 0 has a bin of its own.
    Visibility is that of each keypoint as annotated.
    """
    names = annotations.skeleton.keypoints
    joint = np.broadcast_to(np.arange(len(names)), diagnosis.status.shape)
    size = np.digitize(annotations.areas, AREA_EDGES)
    crowding = np.digitize(overlaps(annotations), OVERLAP_EDGES, right=True)
    visible = annotations.visibility.astype(int) - 1
    return {
        "joint": _of_keypoints("joint", names, joint, diagnosis),
        "size": _of_instances("size", SIZES, size, diagnosis),
        "crowding": _of_instances("crowding", _overlap_names(), crowding, diagnosis),
        "visibility": _of_keypoints("visibility", ("occluded", "visible"), visible, diagnosis),
    }


def _overlap_names() -> list[str]:
    """Names of ranges that include their upper end, the first one 0 alone."""
    ranges = [f"{low:g} to {high:g}" for low, high in pairwise(OVERLAP_EDGES)]
    return [f"{OVERLAP_EDGES[0]:g}", *ranges, f"over {OVERLAP_EDGES[-1]:g}"]


def _of_instances(
    group: str, names: Sequence[str], bins: Ints, diagnosis: Diagnosis
) -> list[ErrorShare]:
    """Shares of a grouping of instances (M,)."""
    of_keypoint = np.broadcast_to(bins[:, None], diagnosis.status.shape)
    errors = {SCORE: diagnosis.score_errors, FALSE_NEGATIVE: diagnosis.false_negatives}
    shares = _of_keypoints(group, names, of_keypoint, diagnosis)
    return shares + _shares(group, names, bins, errors, diagnosis.scored)


def _of_keypoints(
    group: str, names: Sequence[str], bins: Ints, diagnosis: Diagnosis
) -> list[ErrorShare]:
    """Shares of a grouping of keypoints (M, K)."""
    errors: dict[str, Mask] = {status: diagnosis.has_status(status) for status in KeypointStatus}
    errors[GROUPING] = diagnosis.grouping_errors
    return _shares(group, names, bins, errors, diagnosis.status != UNKNOWN)


def _shares(
    group: str, names: Sequence[str], bins: Ints, errors: Mapping[str, Mask], counted: Mask
) -> list[ErrorShare]:
    """Counts of each error in each bin, and shares of what ``counted`` marks."""
    total = np.bincount(bins[counted], minlength=len(names))
    counts = {
        error: np.bincount(bins[mask & counted], minlength=len(names))
        for error, mask in errors.items()
    }
    return [
        ErrorShare(group, name, str(error), int(count[n]), _share(int(count[n]), int(total[n])))
        for n, name in enumerate(names)
        for error, count in counts.items()
    ]


def _share(count: int, total: int) -> float:
    return count / total if total else float("nan")
