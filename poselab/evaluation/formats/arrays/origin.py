"""Whether the pixels of an array count from 0 or from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.open import READERS
from poselab.evaluation.formats.arrays.hints import KNOWN_ORIGIN

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.formats.arrays.fit import Fit
    from poselab.structures import Ints

NEAR = 0.25
"""Pixels: a median offset this near to one origin, and so not to the other, tells it."""


def suggest_origin(
    measured: Fit, joints: Ints, annotations: Annotations, given: int | None, known: bool
) -> tuple[int, str]:
    """The origin and why: ``given``, or that of a median offset near 0 or 1, or else that of the
    ``known`` arrays, or of the annotations.

    Many methods are biased by a pixel or more, which hides it.

    ``joints`` (Kg,) are the joints of the poses, -1 for none, for those of the ground truth.
    """
    if given is not None:
        return given, f"pixels count from {given}"
    kept = np.flatnonzero(joints >= 0)
    offsets = measured.offsets[:, joints[kept], kept]
    offsets = offsets[np.isfinite(measured.distances[:, joints[kept], kept])]
    usual, why = KNOWN_ORIGIN, "as its authors write it"
    if not known:
        usual = READERS[annotations.layout][1] if annotations.layout in READERS else 0
        why = "as in the annotations"
    if not len(offsets):
        return usual, f"pixels count from {usual}, {why}"
    middle = np.median(offsets, axis=0)
    spread = 1.4826 * np.median(np.abs(offsets - middle), axis=0)
    uncertainty = 1.25 * spread / np.sqrt(len(offsets))  # standard error of a median
    where = f"from 0, the median joint lies {middle[0]:+.2f}, {middle[1]:+.2f} pixels off"
    for origin in (0, 1):
        if (np.abs(middle - origin) + uncertainty < NEAR).all():
            return origin, f"pixels count from {origin}: {where}"
    return usual, (
        f"pixels count from {usual}, {why}; the fit does not tell ({where}); choose with "
        "--origin 0 or --origin 1"
    )
