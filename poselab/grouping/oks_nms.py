"""OKS-NMS: suppression of duplicate poses of one image by the similarity of their keypoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints

_BLOCK = 128  # poses compared with all lower-scored ones at a time; bounds memory


class _ScaledPoses(NamedTuple):
    """Poses, best first: x and y (K, N) in units where exp(-d²/area) is a keypoint's similarity."""

    x: Floats
    y: Floats
    area: Floats


def oks_nms(
    keypoints: Floats, scores: Floats, areas: Floats, oks_sigmas: Floats, threshold: float
) -> Ints:
    """Indices of the poses to keep, best score first.

    Greedy: a pose is dropped when its OKS with a better one that was kept exceeds ``threshold``.
    keypoints (N, K, 2) and areas (N,) in pixels; oks_sigmas (K,) are ``Skeleton.oks_sigmas``. OKS
    is taken over the mean of the two areas, all keypoints counting alike.
    Source: Papandreou et al. 2017, section 2.3, with the areas of SimpleBaseline's code.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    narrow_first = np.argsort(oks_sigmas, kind="stable")  # these keypoints tell poses apart best
    # OKS is exp(-d² / (2 k² area)) with k = 2 sigma; dividing points once saves doing it per pair.
    unit = np.sqrt(2) * 2 * np.asarray(oks_sigmas, dtype=np.float64)[narrow_first, None]
    points = np.asarray(keypoints, dtype=np.float64)[order][:, narrow_first]
    x, y = (np.ascontiguousarray(points[:, :, axis].T / unit) for axis in (0, 1))
    poses = _ScaledPoses(x, y, np.asarray(areas, dtype=np.float64)[order])
    alive = np.ones(len(order), dtype=bool)
    for start in range(0, len(order), _BLOCK):
        better, worse = _similar_pairs(poses, start, threshold)
        first = np.flatnonzero(np.diff(better, prepend=-1))
        for begin, end in zip(first, [*first[1:], len(worse)], strict=False):
            # A pose that was suppressed itself does not suppress others.
            if alive[better[begin]]:
                alive[worse[begin:end]] = False
    return np.asarray(order[alive])


def _similar_pairs(poses: _ScaledPoses, start: int, threshold: float) -> tuple[Ints, Ints]:
    """Pairs of a pose of the block from ``start`` and a worse one with an OKS above threshold."""
    better, worse = _candidate_pairs(poses, start, threshold)
    distance = (poses.x[:, better] - poses.x[:, worse]) ** 2
    distance += (poses.y[:, better] - poses.y[:, worse]) ** 2
    # pycocotools' epsilon, without which boxes of no area would divide by zero.
    area = (poses.area[better] + poses.area[worse]) / 2 + np.spacing(1.0)
    similar = np.exp(-distance / area).mean(axis=0) > threshold
    return better[similar], worse[similar]


def _candidate_pairs(poses: _ScaledPoses, start: int, threshold: float) -> tuple[Ints, Ints]:
    """Pairs that may exceed the threshold, so that most others need no exponentials.

    Let ``far`` keypoints have a similarity below threshold/2. The mean over K can exceed the
    threshold only where far·(1 - threshold/2) < K·(1 - threshold), so among more keypoints than
    that at least one is near.
    """
    count, total = poses.x.shape
    # The 1e-9 here and below let no pair slip away by rounding that the exact test would keep.
    most_far = math.floor(count * (1 - threshold) / (1 - threshold / 2) + 1e-9)
    stop = min(start + _BLOCK, total)
    area = (poses.area[start:stop, None] + poses.area[None, start:]) * 0.5
    limit = area * (math.log(2 / max(threshold, 1e-300)) + 1e-9)
    near = np.zeros(limit.shape, dtype=bool)
    for k in range(min(most_far + 1, count)):
        distance = poses.x[k, start:stop, None] - poses.x[k, None, start:]
        distance *= distance
        dy = poses.y[k, start:stop, None] - poses.y[k, None, start:]
        dy *= dy
        distance += dy
        near |= distance <= limit
    better, worse = np.nonzero(np.triu(near, 1))
    return better + start, worse + start
