"""Checks of numbers that a user chooses, called by what uses them, before its work."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from poselab.io.json_text import shortened
from poselab.structures import InputError

MOST_SEED = 2**32 - 1
"""The largest seed that the random number generators of all libraries take."""


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Check a whole number.

    Raises:
        InputError: it is not a whole number, or not from ``least`` to ``most``.
    """
    fits = _is(value, Integral) and value >= least and (most is None or value <= most)
    reach = f"from {least} up" if most is None else f"from {least:,} to {most:,}"
    _check(fits, name, f"a whole number {reach}", value)


def check_seed(value: Any) -> None:
    """Check a seed of random numbers.

    Raises:
        InputError: it is not a whole number from 0 to :data:`MOST_SEED`.
    """
    check_whole("seed", value, 0, MOST_SEED)


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Check a finite number.

    Raises:
        InputError: it is not a number, or not from ``low`` to ``high``.
    """
    reach = f"from {low:g} up" if high == math.inf else f"from {low:g} to {high:g}"
    fits = _is(value, Real) and math.isfinite(value) and low <= value <= high
    _check(fits, name, "a finite number" if low == -math.inf else f"a number {reach}", value)


def check_positive(name: str, value: Any) -> None:
    """Check a number above 0.

    Raises:
        InputError: it is not a number, or not above 0.
    """
    _check(_is(value, Real) and value > 0, name, "a number above 0", value)


def check_size(name: str, value: Any) -> None:
    """Check a (height, width).

    Raises:
        InputError: it is not two whole numbers from 1 up.
    """
    sides = list(value) if isinstance(value, (list, tuple)) else []
    fits = len(sides) == 2 and all(_is(side, Integral) and side >= 1 for side in sides)
    _check(fits, name, "[height, width] in pixels", value)


def _is(value: Any, kind: type) -> bool:
    """Whether a value is a number of a kind; True and False are not numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _check(fits: bool, name: str, expected: str, value: Any) -> None:
    if not fits:
        raise InputError(
            f"expected {name} to be {expected}, got {shortened(value)}; correct the value"
        )
