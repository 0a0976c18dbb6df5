"""Fractions of counts, which are NaN where there is nothing to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints


def fraction(part: Floats | Ints, whole: Floats | Ints) -> Floats:
    """``part / whole`` element by element, in the shape of ``part``; NaN where the whole is 0."""
    known = np.broadcast_to(np.asarray(whole) > 0, np.shape(part))
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=known))
