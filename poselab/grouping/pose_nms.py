"""Several ways to be rid of repeated poses of one image, all called alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from poselab import geometry
from poselab.grouping.oks_nms import oks_nms

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints

LEAST = 0.001
"""A soft suppression drops poses whose score has fallen below this (Bodla et al. 2017)."""
CLOSE_JOINTS = 0.5
"""Share of the joints that must be near for two poses to be the same person's."""


class ScoredPoses(NamedTuple):
    """The poses of one image: keypoints (N, K, 2) pixels, scores (N,), boxes (N, 4) that they
    were found in and areas (N,) of these in pixels², falloffs (K,) of the skeleton."""

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
    """A rule of suppression with its limit."""

    def __call__(self, rivals: ScoredPoses, limit: float) -> KeptPoses:
        """Who stays."""


def by_oks(rivals: ScoredPoses, limit: float) -> KeptPoses:
    """OKS-NMS: a pose falls when its OKS with a better one that stays exceeds ``limit``."""
    rows = oks_nms(rivals.keypoints, rivals.scores, rivals.areas, rivals.oks_sigmas, limit)
    return KeptPoses(rows, rivals.scores[rows])


def by_box(rivals: ScoredPoses, limit: float) -> KeptPoses:
    """NMS of the boxes in the order of the poses' scores: an IoU above ``limit`` is a repeat."""
    order = np.argsort(-rivals.scores, kind="stable")
    alike = geometry.iou(rivals.boxes[order], rivals.boxes[order]) > limit
    alive = np.ones(len(order), dtype=bool)
    for best in range(len(order)):
        if alive[best]:
            alive[best + 1 :] &= ~alike[best, best + 1 :]
    rows = order[alive]
    return KeptPoses(rows, rivals.scores[rows])


def by_soft_oks(rivals: ScoredPoses, limit: float) -> KeptPoses:
    """Soft-OKS-NMS: the best pose stays, all others' scores decay by exp(-OKS²/limit), and so on.

    Source: soft-NMS, Bodla et al. 2017, equation 3 with OKS for IoU and ``limit`` for sigma, as in
    the evaluation of HRNet's descendants; those keep the 20 first of an image, COCO's evaluation
    does that here.
    """
    likeness = _oks(rivals)
    scores = np.array(rivals.scores, dtype=np.float64)
    left = np.arange(len(scores))
    rows: list[int] = []
    kept: list[float] = []
    while len(left):
        place = int(np.argmax(scores[left]))
        best = int(left[place])
        if scores[best] < LEAST and rows:
            break
        rows.append(best)
        kept.append(float(scores[best]))
        left = np.delete(left, place)
        scores[left] *= np.exp(-(likeness[best, left] ** 2) / limit)
    return KeptPoses(np.array(rows, dtype=np.int64), np.array(kept, dtype=np.float64))


def by_keypoint_distance(rivals: ScoredPoses, limit: float) -> KeptPoses:
    """A pose stays if no better one has more than half of its joints near this one's.

    Near is ``limit`` times the diagonal of the extent of the pose that is looked at. What a pose
    that stays has near it falls.
    Source: DEKR, Geng et al. 2021, the authors' code (limit 0.05).
    """
    keypoints = np.asarray(rivals.keypoints, dtype=np.float64)
    count, joints = keypoints.shape[:2]
    diagonal = np.linalg.norm(np.ptp(keypoints, axis=1), axis=-1) if joints else np.zeros(count)
    close = np.zeros((count, count), dtype=np.int64)
    for k in range(joints):  # N × N × K at once would not fit where many are found
        apart = np.linalg.norm(keypoints[:, None, k] - keypoints[None, :, k], axis=-1)
        close += apart < limit * diagonal[:, None]
    same = close > joints * CLOSE_JOINTS
    np.fill_diagonal(same, True)
    rank = np.empty(count, dtype=np.int64)
    order = np.argsort(-rivals.scores, kind="stable")
    rank[order] = np.arange(count)
    fallen, rows = np.zeros(count, dtype=bool), []
    for i in order:
        if not fallen[i]:
            near = np.flatnonzero(same[i])
            best = near[np.argmin(rank[near])]
            if not fallen[best]:
                rows.append(best)
                fallen[near] = True
    kept = np.array(rows, dtype=np.int64)
    return KeptPoses(kept, rivals.scores[kept])


def _oks(rivals: ScoredPoses) -> Floats:
    """OKS (N, N) of all pairs over the mean of their areas, all keypoints counting alike."""
    keypoints = np.asarray(rivals.keypoints, dtype=np.float64)
    shared = (rivals.areas[:, None] + rivals.areas[None]) / 2 + np.spacing(1.0)
    total = np.zeros_like(shared)
    for k, sigma in enumerate(rivals.oks_sigmas):
        squared = ((keypoints[:, None, k] - keypoints[None, :, k]) ** 2).sum(axis=-1)
        total += np.exp(-squared / (2 * (2 * sigma) ** 2 * shared))
    return np.asarray(total / max(len(rivals.oks_sigmas), 1))


NMS_RULES: dict[str, tuple[str, NmsRule]] = {
    "oks": ("OKS", by_oks),
    "soft_oks": ("soft OKS", by_soft_oks),
    "box": ("box IoU", by_box),
    "keypoint_distance": ("nearby joints", by_keypoint_distance),
}
"""Name → how a contract calls it, and the rule."""
