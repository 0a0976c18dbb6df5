"""Boxes with random errors, to measure how much a method depends on its boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints


def jitter_boxes(boxes: Floats, iou: float, rng: np.random.Generator) -> Floats:
    """Move and resize each of the boxes (M, 4) until its IoU with the original is exactly ``iou``.

    The direction is uniform in four dimensions: the shift in units of the box's sides, and the
    logarithms of their growth.

    Raises:
        InputError: ``iou`` not in (0, 1].
    """
    if not 0 < iou <= 1:
        raise InputError(f"expected an IoU above 0 and up to 1, got {iou}; choose another")
    direction = rng.standard_normal((len(boxes), 4))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    near, far = np.zeros(len(boxes)), np.full(len(boxes), 64.0)
    for _ in range(60):  # bisection to the last bit
        middle = (near + far) / 2
        enough = _iou_after(direction * middle[:, None]) >= iou
        near, far = np.where(enough, middle, near), np.where(enough, far, middle)
    shift, growth = np.split(direction * near[:, None], 2, axis=1)
    sides = boxes[:, 2:] * np.exp(growth)
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + shift * boxes[:, 2:]
    return np.concatenate([centres - sides / 2, sides], axis=1)


def _iou_after(change: Floats) -> Floats:
    """IoU (M,) of unit boxes before and after changes (M, 4): shift x y, log growth w h."""
    shift, sides = change[:, :2], np.exp(change[:, 2:])
    high = np.minimum(0.5, shift + sides / 2)
    common = np.clip(high - np.maximum(-0.5, shift - sides / 2), 0, None).prod(axis=1)
    return np.asarray(common / (1 + sides.prod(axis=1) - common))


def drop_random_rows(count: int, miss: float, rng: np.random.Generator) -> Ints:
    """The row numbers below ``count`` without a random share ``miss`` of them, in order.

    Raises:
        InputError: ``miss`` not in [0, 1).
    """
    if not 0 <= miss < 1:
        raise InputError(f"expected a miss rate from 0 to below 1, got {miss}; choose another")
    return np.sort(rng.permutation(count)[round(miss * count) :])
