"""Duplicates among the poses of one picture, by how alike their keypoints are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints


def oks_nms(
    keypoints: Floats, scores: Floats, areas: Floats, falloffs: Floats, threshold: float
) -> Ints:
    """Indices of the poses to keep, best score first.

    Greedy: a pose is dropped when its OKS with a better one that was kept exceeds ``threshold``.
    keypoints (N, K, 2) and areas (N,) in pixels; falloffs (K,) are ``Skeleton.falloffs``. Two
    poses are compared over the mean of their areas, all keypoints counting alike.
    Source: Papandreou et al. 2017, section 2.3, with the areas of SimpleBaseline's code.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    # In units where exp(-d²/area) is a keypoint's likeness; keypoints along the rows.
    unit = np.sqrt(2) * 2 * np.asarray(falloffs, dtype=np.float64)[:, None]
    x, y = (np.asarray(keypoints, dtype=np.float64)[order, :, axis].T / unit for axis in (0, 1))
    area = np.asarray(areas, dtype=np.float64)[order]
    alive = np.ones(len(order), dtype=bool)
    for best in range(len(order)):
        if alive[best]:
            alike = _alike(x[:, best:], y[:, best:], area[best:], threshold)
            alive[best + 1 + alike] = False
    return np.asarray(order[alive])


def _alike(x: Floats, y: Floats, area: Floats, threshold: float) -> Ints:
    """Which of the poses after the first have an OKS with it above ``threshold``; x, y (K, N)."""
    distance = (x[:, 1:] - x[:, :1]) ** 2
    distance += (y[:, 1:] - y[:, :1]) ** 2
    shared = (area[1:] + area[0]) / 2 + np.spacing(1.0)
    # The mean is at most the likeness of the nearest keypoint: most pairs need no exponentials.
    limit = -np.log(max(threshold, 1e-300)) + 1e-9
    near = np.flatnonzero(distance.min(axis=0, initial=np.inf) < limit * shared)
    oks = np.exp(-distance[:, near] / shared[near]).mean(axis=0)
    return np.asarray(near[oks > threshold])
