"""The error of each predicted keypoint: jitter, inversion, swap or miss.

Definitions of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation" (ICCV 2017), for any skeleton. Where several statuses are possible, the ground-truth
keypoint that the prediction is most similar to decides, as in the authors' program.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.matching.pairs import slices_of_pairs
from poselab.evaluation.matching.similarity import joint_similarity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.matching.pairs import Pairs
    from poselab.structures import Floats, Ints

DETECTED_SIMILARITY = 0.5
"""Least similarity at which a prediction is taken to lie at a keypoint."""

GOOD_SIMILARITY = 0.85
"""Least similarity to its own keypoint at which a prediction is good."""


class KeypointStatus(StrEnum):
    """What is wrong with a predicted keypoint; ``code`` stands for it in uint8 arrays."""

    GOOD = "good"
    JITTER = "jitter"
    INVERSION = "inversion"
    SWAP = "swap"
    MISS = "miss"

    @property
    def code(self) -> int:
        """The position in the list of statuses."""
        return tuple(KeypointStatus).index(self)


UNKNOWN = 255
"""The code of keypoints that are not labelled, or whose instance has no matched pose."""


class KeypointDiagnosis(NamedTuple):
    """The prediction of every labelled keypoint; all arrays are (M, K).

    status: uint8 codes; best_similarity: to the most similar ground-truth keypoint of all, its own
    or another; grouped_into: the row of the other pose that has this keypoint (see
    :func:`grouped_into_other_pose`), else -1.
    """

    status: Ints
    best_similarity: Floats
    grouped_into: Ints


def diagnose_keypoints(
    keypoints: Floats,
    pose_of: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> KeypointDiagnosis:
    """Diagnose the keypoints of matched poses.

    keypoints (N, K, 2) are all poses in image pixels, pose_of (M,) the row of the pose matched to
    each instance, -1 for none, and pairs all pairs of a pose and an instance of one image.
    """
    shape = annotations.visibility.shape
    own, flipped = np.zeros(shape), np.zeros(shape)
    matched = np.flatnonzero(pose_of >= 0)
    for part in slices_of_pairs(len(matched), len(sigmas)):
        rows = matched[part]
        own[rows], flipped[rows] = _own_and_flipped_similarity(
            keypoints[pose_of[rows]], annotations, rows, sigmas
        )
    instance_of = _inverse(pose_of, len(keypoints))
    others = _similarity_to_others(keypoints, instance_of, pairs, annotations, sigmas)
    status = _statuses(own, flipped, others)
    status[(annotations.visibility == 0) | (pose_of < 0)[:, None]] = UNKNOWN
    best = np.maximum(own, others, out=others)
    np.maximum(best, flipped, out=best)
    del own, flipped  # large where people are many
    return KeypointDiagnosis(
        status=status,
        best_similarity=best,
        grouped_into=grouped_into_other_pose(
            keypoints, status, pose_of, pairs, annotations, sigmas
        ),
    )


def _inverse(pose_of: Ints, poses: int) -> Ints:
    """The row (N,) of the instance that each pose is matched to, -1 for none."""
    instance_of = np.full(poses, -1)
    matched = np.flatnonzero(pose_of >= 0)
    instance_of[pose_of[matched]] = matched
    return instance_of


def _own_and_flipped_similarity(
    keypoints: Floats, annotations: Annotations, instances: Ints, sigmas: Sequence[float]
) -> tuple[Floats, Floats]:
    """Similarity (n, K) of poses (n, K, 2) to the keypoints of instances (n,), and to those of the
    other side; the sigma is always that of the predicted keypoint."""
    flip = list(annotations.skeleton.flip_index)
    own = joint_similarity(keypoints, annotations, instances, sigmas)
    flipped_sigmas = [sigmas[k] for k in flip]
    flipped = joint_similarity(keypoints[:, flip], annotations, instances, flipped_sigmas)
    return own, flipped[:, flip]


def _similarity_to_others(
    keypoints: Floats,
    instance_of: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Floats:
    """Greatest similarity (M, K) of each instance's pose to the same or the flipped keypoint of
    another instance, 0 without one."""
    matched_to = instance_of[pairs.pose]
    others = pairs.take((matched_to >= 0) & (matched_to != pairs.person))
    greatest = np.zeros(annotations.visibility.shape)
    for part in slices_of_pairs(len(others.pose), len(sigmas)):
        pose = others.pose[part]
        similar = np.maximum(
            *_own_and_flipped_similarity(keypoints[pose], annotations, others.person[part], sigmas)
        )
        np.maximum.at(greatest, instance_of[pose], similar)
    return greatest


def _statuses(own: Floats, flipped: Floats, others: Floats) -> Ints:
    """Codes (M, K) from similarities (M, K); of equals its own keypoint wins, then inversion."""
    wrong = np.maximum(flipped, others)
    is_own = own >= wrong
    return np.select(
        [np.maximum(own, wrong) < DETECTED_SIMILARITY, is_own & (own >= GOOD_SIMILARITY), is_own],
        [KeypointStatus.MISS.code, KeypointStatus.GOOD.code, KeypointStatus.JITTER.code],
        np.where(flipped >= others, KeypointStatus.INVERSION.code, KeypointStatus.SWAP.code),
    ).astype(np.uint8)


def grouped_into_other_pose(
    keypoints: Floats,
    status: Ints,
    pose_of: Ints,
    pairs: Pairs,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Ints:
    """Grouping errors (M, K): the row of the other pose that has the keypoint, -1 for none.

    The matched pose has a swap or a miss, while the same keypoint of another pose of the image lies
    at the ground truth (similarity 0.5 or more). That other pose is either matched to another
    instance, for which this keypoint is neither good nor jitter; or it is unmatched, a fragment,
    and shares no correct keypoint with the matched pose (otherwise it is a duplicate, not a
    grouping error). Of several such poses the one with the most similar keypoint is named.
    """
    lost = np.isin(status, (KeypointStatus.SWAP.code, KeypointStatus.MISS.code))
    correct = np.isin(status, (KeypointStatus.GOOD.code, KeypointStatus.JITTER.code))
    instance_of = _inverse(pose_of, len(keypoints))
    is_other = pairs.pose != pose_of[pairs.person]
    has_lost = np.asarray(lost.any(axis=1))
    candidates = pairs.take(has_lost[pairs.person] & is_other)

    greatest, other_pose = np.zeros(status.shape), np.full(status.shape, -1, np.int32)
    for part in slices_of_pairs(len(candidates.pose), len(sigmas)):
        pose, instance = candidates.pose[part], candidates.person[part]
        similar = joint_similarity(keypoints[pose], annotations, instance, sigmas)
        near = similar >= DETECTED_SIMILARITY
        matched = instance_of[pose] >= 0
        duplicate = ~matched & (correct[instance] & near).any(axis=1)
        used = matched[:, None] & correct[instance_of[pose]]
        similar[~(near & lost[instance] & ~used & ~duplicate[:, None])] = 0.0
        np.maximum.at(greatest, instance, similar)
        pair, keypoint = np.nonzero((similar > 0) & (similar == greatest[instance]))
        other_pose[instance[pair], keypoint] = pose[pair]
    return other_pose
