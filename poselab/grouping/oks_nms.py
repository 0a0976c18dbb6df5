"""Duplicates among the poses of one image, by how alike their keypoints are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints

_ROWS = 128  # poses compared with all worse ones at a time; bounds memory


class _Scaled(NamedTuple):
    """Poses, best first: x and y (K, N) in units where exp(-d²/area) is a keypoint's likeness."""

    x: Floats
    y: Floats
    area: Floats


def oks_nms(
    keypoints: Floats, scores: Floats, areas: Floats, oks_sigmas: Floats, threshold: float
) -> Ints:
    """Indices of the poses to keep, best score first.

    Greedy: a pose is dropped when its OKS with a better one that was kept exceeds ``threshold``.
    keypoints (N, K, 2) and areas (N,) in pixels; falloffs (K,) are ``Skeleton.oks_sigmas``. Two
    poses are compared over the mean of their areas, all keypoints counting alike.
    Source: Papandreou et al. 2017, section 2.3, with the areas of SimpleBaseline's code.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    precise = np.argsort(oks_sigmas, kind="stable")  # tell poses apart by these first
    unit = np.sqrt(2) * 2 * np.asarray(oks_sigmas, dtype=np.float64)[precise, None]
    points = np.asarray(keypoints, dtype=np.float64)[order][:, precise]
    x, y = (np.ascontiguousarray(points[:, :, axis].T / unit) for axis in (0, 1))
    poses = _Scaled(x, y, np.asarray(areas, dtype=np.float64)[order])
    alive = np.ones(len(order), dtype=bool)
    for start in range(0, len(order), _ROWS):
        better, worse = _alike(poses, start, threshold)
        first = np.flatnonzero(np.diff(better, prepend=-1))
        for begin, end in zip(first, [*first[1:], len(worse)], strict=False):
            if alive[better[begin]]:
                alive[worse[begin:end]] = False
    return np.asarray(order[alive])


def _alike(poses: _Scaled, start: int, threshold: float) -> tuple[Ints, Ints]:
    """Pairs of a pose of the block from ``start`` and a worse one with an OKS above threshold."""
    better, worse = _perhaps_alike(poses, start, threshold)
    distance = (poses.x[:, better] - poses.x[:, worse]) ** 2
    distance += (poses.y[:, better] - poses.y[:, worse]) ** 2
    shared = (poses.area[better] + poses.area[worse]) / 2 + np.spacing(1.0)
    alike = np.exp(-distance / shared).mean(axis=0) > threshold
    return better[alike], worse[alike]


def _perhaps_alike(poses: _Scaled, start: int, threshold: float) -> tuple[Ints, Ints]:
    """Pairs that a few keypoints do not rule out, which spares most the exponentials.

    With ``far`` keypoints below a likeness of threshold/2, the mean exceeds the threshold only
    where far·(1 - threshold/2) is less than K·(1 - threshold): of more keypoints than that, one
    must be near.
    """
    count, total = poses.x.shape
    most = math.floor(count * (1 - threshold) / (1 - threshold / 2) + 1e-9)
    stop = min(start + _ROWS, total)
    shared = (poses.area[start:stop, None] + poses.area[None, start:]) * 0.5
    limit = shared * (math.log(2 / max(threshold, 1e-300)) + 1e-9)
    near = np.zeros(limit.shape, dtype=bool)
    for k in range(min(most + 1, count)):
        distance = poses.x[k, start:stop, None] - poses.x[k, None, start:]
        distance *= distance
        rise = poses.y[k, start:stop, None] - poses.y[k, None, start:]
        rise *= rise
        distance += rise
        near |= distance <= limit
    better, worse = np.nonzero(np.triu(near, 1))
    return better + start, worse + start
