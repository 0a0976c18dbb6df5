"""What is wrong with each joint of a pose: jitter, inversion, swap or miss.

Definitions of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation" (ICCV 2017), for any skeleton. Where a predicted joint could be several things, it is
that whose place it is most similar to, as in the authors' program.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.matching.pairs import parts
from poselab.evaluation.matching.similarity import joint_similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.matching.pairs import Pairs
    from poselab.structures import Floats, Ints

NEAR = 0.5
"""Similarity from which a joint is at a place."""

RIGHT = 0.85
"""Similarity from which a joint at its own place is good."""


class Kind(StrEnum):
    """What a joint is; its code in uint8 arrays is its place in this list."""

    GOOD = "good"
    JITTER = "jitter"
    INVERSION = "inversion"
    SWAP = "swap"
    MISS = "miss"

    @property
    def code(self) -> int:
        """The number that stands for the kind in arrays."""
        return tuple(Kind).index(self)


UNKNOWN = 255
"""The code of joints that are not labelled, or whose person no pose answers for."""


class Joints(NamedTuple):
    """All (M, K), of the joint predicted for each labelled joint.

    kind: uint8 codes; similarity: to its own place, 0 where unknown; nearest: to the most similar
    place of all; rival: the person row whose joint a swap lies at, -1 elsewhere; found_in: the
    prediction row that has the joint instead (see :func:`found_elsewhere`), -1 for none.
    """

    kind: Ints
    similarity: Floats
    nearest: Floats
    rival: Ints
    found_in: Ints


def joints_of(
    keypoints: Floats,
    pose_of: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Joints:
    """Diagnose the poses that answer for people.

    keypoints (N, K, 2) are all poses in image pixels, pose_of (M,) the row that answers for each
    person, -1 for none, and pairs all pairs of poses and people that lie in the same image.
    """
    shape = annotations.visibility.shape
    own, flipped = np.zeros(shape), np.zeros(shape)
    instances = np.flatnonzero(pose_of >= 0)
    own[instances], flipped[instances] = _own_and_flipped(
        keypoints[pose_of[instances]], annotations, instances, sigmas
    )
    model = _inverse(pose_of, len(keypoints))
    others, rival = _others(keypoints, model, pairs, annotations, sigmas)
    kind = _kinds(own, flipped, others)
    kind[(annotations.visibility == 0) | (pose_of < 0)[:, None]] = UNKNOWN
    found_in = found_elsewhere(keypoints, kind, pose_of, pairs, annotations, sigmas)
    nearest = np.maximum(own, np.maximum(flipped, others))
    rival = np.where(kind == Kind.SWAP.code, rival, -1)
    return Joints(kind, own, nearest, rival, found_in)


def _inverse(pose_of: Ints, poses: int) -> Ints:
    """The person row (N,) that each pose answers for, -1 for none."""
    model = np.full(poses, -1)
    instances = np.flatnonzero(pose_of >= 0)
    model[pose_of[instances]] = instances
    return model


def _own_and_flipped(
    keypoints: Floats, annotations: Annotations, instances: Ints, sigmas: Sequence[float]
) -> tuple[Floats, Floats]:
    """Similarity (n, K) of poses (n, K, 2) to their people's joints and to the flipped joints.

    The falloff is always that of the predicted joint.
    """
    flip = list(annotations.skeleton.flip_index)
    own = joint_similarity(keypoints, annotations, instances, sigmas)
    turned = [sigmas[k] for k in flip]
    flipped = joint_similarity(keypoints[:, flip], annotations, instances, turned)[:, flip]
    return own, flipped


def _others(
    keypoints: Floats,
    model: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> tuple[Floats, Ints]:
    """Greatest similarity (M, K) of each person's pose to another person's joint or its flipped
    one, and that person's row."""
    answered = model[pairs.pose]
    theirs = pairs.take((answered >= 0) & (answered != pairs.person))

    def similarity(part: slice) -> Floats:
        poses, instances = keypoints[theirs.pose[part]], theirs.person[part]
        return np.maximum(*_own_and_flipped(poses, annotations, instances, sigmas))

    return _greatest(similarity, model[theirs.pose], theirs.person, annotations.visibility.shape)


def _greatest(
    similarity: Callable[[slice], Floats], rows: Ints, names: Ints, shape: tuple[int, ...]
) -> tuple[Floats, Ints]:
    """Of similarities (Q, K) that belong to ``rows`` (Q,) the greatest of each row (M, K), and the
    name (Q,) it belongs to, of equals the last, and -1 where all are 0."""
    greatest, which = np.zeros(shape), np.full(shape, -1)
    for part in parts(len(rows), shape[1]):
        similar, of = similarity(part), rows[part]
        np.maximum.at(greatest, of, similar)
        pair, joint = np.nonzero((similar > 0) & (similar == greatest[of]))
        which[of[pair], joint] = names[part][pair]
    return greatest, which


def _kinds(own: Floats, flipped: Floats, others: Floats) -> Ints:
    """Codes (M, K) from similarities (M, K); of equals its own place goes first, then inversion."""
    wrong = np.maximum(flipped, others)
    return np.select(
        [np.maximum(own, wrong) < NEAR, (own >= wrong) & (own >= RIGHT), own >= wrong],
        [Kind.MISS.code, Kind.GOOD.code, Kind.JITTER.code],
        np.where(flipped >= others, Kind.INVERSION.code, Kind.SWAP.code),
    ).astype(np.uint8)


def found_elsewhere(
    keypoints: Floats,
    kind: Ints,
    pose_of: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Ints:
    """Grouping errors (M, K): the prediction row of another pose that has the joint, -1 for none.

    The person's own pose has a swap or a miss there; the same joint of another pose of the image
    is at the label, with similarity 0.5 or more, and is neither good nor jitter for the person that
    the other pose answers for. So the joint was found, and was given to another person's pose, or
    to a fragment: a pose that answers for nobody, and has right no joint of the person that the own
    pose has right too, or else it is a double, which is no matter of grouping. Of several poses the
    one with the most similar joint is named.
    """
    lost = (kind == Kind.SWAP.code) | (kind == Kind.MISS.code)
    fits = (kind == Kind.GOOD.code) | (kind == Kind.JITTER.code)
    model = _inverse(pose_of, len(keypoints))
    other = pairs.pose != pose_of[pairs.person]
    seekers = pairs.take(lost.any(axis=1)[pairs.person] & other)

    def similarity(part: slice) -> Floats:
        pose, person = seekers.pose[part], seekers.person[part]
        similar = joint_similarity(keypoints[pose], annotations, person, sigmas)
        answers = model[pose] >= 0
        double = ~answers & (fits[person] & (similar >= NEAR)).any(axis=1)
        out = double[:, None] | (answers[:, None] & fits[model[pose]]) | ~lost[person]
        return np.where(~out & (similar >= NEAR), similar, 0.0)

    return _greatest(similarity, seekers.person, seekers.pose, kind.shape)[1]
