"""Checks of config values, called by the classes that use the values."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from poselab.structures import InputError


def check_whole(name: str, value: Any, least: int) -> None:
    """Check a whole number.

    Raises:
        InputError: it is not a whole number, or below ``least``.
    """
    fits = _is(value, Integral) and value >= least
    _check(fits, name, f"a whole number from {least} up", value)


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Check a number.

    Raises:
        InputError: it is not a number, or not from ``low`` to ``high``.
    """
    reach = f"from {low:g} up" if high == math.inf else f"from {low:g} to {high:g}"
    _check(_is(value, Real) and low <= value <= high, name, f"a number {reach}", value)


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
        raise InputError(f"expected {name} to be {expected}, got {value}; correct the value")
