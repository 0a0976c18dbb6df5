"""A value with its confidence interval."""

from __future__ import annotations

from typing import NamedTuple


class Estimate(NamedTuple):
    """A metric value, or a difference of two, as a fraction, with its confidence interval."""

    value: float
    low: float
    high: float
