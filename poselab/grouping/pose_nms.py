"""Rules that suppress repeated poses of one image, all with the same signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from poselab import geometry
from poselab.grouping.oks_nms import oks_nms

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints

MIN_SCORE = 0.001
"""Soft suppression drops poses whose score has fallen below this (Bodla et al. 2017)."""
MIN_NEAR_SHARE = 0.5
"""Share of the joints that must be near for two poses to be the same person's."""


class ScoredPoses(NamedTuple):
    """The poses of one image.

    keypoints (N, K, 2) pixels; scores (N,); their boxes (N, 4) x y width height, and areas (N,) of
    the boxes in pixels²; oks_sigmas (K,) of the skeleton.
    """

    keypoints: Floats
    scores: Floats
    boxes: Floats
    areas: Floats
    oks_sigmas: Floats


class KeptPoses(NamedTuple):
    """Indices of the poses that stay, best first, and their scores, which may have changed."""

    rows: Ints
    scores: Floats


class NmsRule(Protocol):
    """A rule with its threshold."""

    def __call__(self, poses: ScoredPoses, threshold: float) -> KeptPoses:
        """The poses that stay."""


def by_oks(poses: ScoredPoses, threshold: float) -> KeptPoses:
    """OKS-NMS: drop a pose whose OKS with a better one that stays exceeds ``threshold``."""
    rows = oks_nms(poses.keypoints, poses.scores, poses.areas, poses.oks_sigmas, threshold)
    return KeptPoses(rows, poses.scores[rows])


def by_box(poses: ScoredPoses, threshold: float) -> KeptPoses:
    """NMS of the boxes in the order of the poses' scores: drop an IoU above ``threshold``."""
    order = np.argsort(-poses.scores, kind="stable")
    similar = geometry.iou(poses.boxes[order], poses.boxes[order]) > threshold
    alive = np.ones(len(order), dtype=bool)
    for best in range(len(order)):
        if alive[best]:
            alive[best + 1 :] &= ~similar[best, best + 1 :]
    rows = order[alive]
    return KeptPoses(rows, poses.scores[rows])


def by_soft_oks(poses: ScoredPoses, threshold: float) -> KeptPoses:
    """Soft-OKS-NMS: keep the best pose, scale all others' scores by exp(-OKS²/threshold), repeat.

    Source: soft-NMS, Bodla et al. 2017, equation 3 with OKS for IoU and ``threshold`` for sigma, as
    in the evaluation of code that derives from HRNet's. That code keeps the 20 best of an image,
    which COCO's evaluation does here.
    """
    oks = _pairwise_oks(poses)
    scores = np.array(poses.scores, dtype=np.float64)
    left = np.arange(len(scores))
    rows: list[int] = []
    kept: list[float] = []
    while len(left):
        place = int(np.argmax(scores[left]))
        best = int(left[place])
        # The first pose stays whatever its score, so that no image loses all of its poses.
        if scores[best] < MIN_SCORE and rows:
            break
        rows.append(best)
        kept.append(float(scores[best]))
        left = np.delete(left, place)
        scores[left] *= np.exp(-(oks[best, left] ** 2) / threshold)
    return KeptPoses(np.array(rows, dtype=np.int64), np.array(kept, dtype=np.float64))


def by_keypoint_distance(poses: ScoredPoses, threshold: float) -> KeptPoses:
    """Keep a pose if no better one has more than half of its joints near this one's.

    Near means within ``threshold`` times the diagonal of the pose's extent. A kept pose suppresses
    all poses near it.
    Source: DEKR, Geng et al. 2021, the authors' code (threshold 0.05).
    """
    keypoints = np.asarray(poses.keypoints, dtype=np.float64)
    count, joints = keypoints.shape[:2]
    diagonal = np.linalg.norm(np.ptp(keypoints, axis=1), axis=-1) if joints else np.zeros(count)
    near_joints = np.zeros((count, count), dtype=np.int64)
    for k in range(joints):  # as in _pairwise_oks
        distance = np.linalg.norm(keypoints[:, None, k] - keypoints[None, :, k], axis=-1)
        near_joints += distance < threshold * diagonal[:, None]
    same = near_joints > joints * MIN_NEAR_SHARE
    np.fill_diagonal(same, True)
    rank = np.empty(count, dtype=np.int64)
    order = np.argsort(-poses.scores, kind="stable")
    rank[order] = np.arange(count)
    dropped, rows = np.zeros(count, dtype=bool), []
    for i in order:
        if not dropped[i]:
            near = np.flatnonzero(same[i])
            best = near[np.argmin(rank[near])]
            if not dropped[best]:
                rows.append(best)
                dropped[near] = True
    kept = np.array(rows, dtype=np.int64)
    return KeptPoses(kept, poses.scores[kept])


def _pairwise_oks(poses: ScoredPoses) -> Floats:
    """OKS (N, N) of all pairs over the mean of their areas, all keypoints counting alike."""
    keypoints = np.asarray(poses.keypoints, dtype=np.float64)
    area = (poses.areas[:, None] + poses.areas[None]) / 2 + np.spacing(1.0)
    total = np.zeros_like(area)
    # Keypoint by keypoint, because an N × N × K array would not fit where N is large.
    for k, sigma in enumerate(poses.oks_sigmas):
        squared = ((keypoints[:, None, k] - keypoints[None, :, k]) ** 2).sum(axis=-1)
        total += np.exp(-squared / (2 * (2 * sigma) ** 2 * area))
    return np.asarray(total / max(len(poses.oks_sigmas), 1))


NMS_RULES: dict[str, tuple[str, NmsRule]] = {
    "oks": ("OKS", by_oks),
    "soft_oks": ("soft OKS", by_soft_oks),
    "box": ("box IoU", by_box),
    "keypoint_distance": ("keypoint distance", by_keypoint_distance),
}
"""Value of ``nms_kind`` → its name in the comparability record, and the rule."""
