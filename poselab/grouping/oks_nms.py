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
    x, y = np.moveaxis(np.asarray(keypoints, dtype=np.float64)[order], (0, 1, 2), (2, 1, 0))
    # exp(-d² / (2·(2·falloff)²·mean area)), keypoints along the rows for long contiguous columns
    weight = 1 / (2 * (2 * np.asarray(falloffs, dtype=np.float64)) ** 2)[:, None]
    area = np.asarray(areas, dtype=np.float64)[order]
    left, kept = np.arange(len(order)), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        alike = _oks(x, y, weight, area, best, left)
        left = left[alike <= threshold]
    return np.asarray(order[np.array(kept, dtype=np.intp)])


def _oks(x: Floats, y: Floats, weight: Floats, area: Floats, one: int, others: Ints) -> Floats:
    """OKS (M,) of one pose with M others; x, y (K, N)."""
    distance = (x[:, others] - x[:, one, None]) ** 2
    distance += (y[:, others] - y[:, one, None]) ** 2
    distance *= weight
    distance /= -(area[others] + area[one]) / 2 - np.spacing(1.0)
    return np.asarray(np.exp(distance, out=distance).mean(axis=0))
