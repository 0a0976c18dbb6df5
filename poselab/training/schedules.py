"""Learning-rate schedules: factors of the base rate for every step of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from poselab.structures import InputError

Factor = Callable[[int], float]
"""Step → factor of the base learning rate."""

Schedule = Callable[[int, int], Factor]
"""(steps per epoch, epochs) → factor."""


def constant(steps: int, epochs: int) -> Factor:
    """The base rate throughout."""
    return _one


def multi_step(
    steps: int,
    epochs: int,
    milestones: Sequence[float] = (170 / 210, 200 / 210),
    gamma: float = 0.1,
    warmup: int = 0,
) -> Factor:
    """Times ``gamma`` at each milestone (a fraction of the run), after ``warmup`` rising steps.

    The default milestones are epochs 170 and 200 of 210 (Sun et al. 2019, HRNet, section 4.1).

    Raises:
        InputError: milestones that are no fractions, such as epochs.
    """
    if not all(0 < fraction < 1 for fraction in milestones):
        raise InputError(
            f"expected schedule.milestones as fractions of the run, got {list(milestones)}; "
            "divide epochs by trainer.max_epochs"
        )
    drops = tuple(round(fraction * epochs) * steps for fraction in milestones)
    return partial(_multi_step, drops=drops, gamma=gamma, warmup=warmup)


def cosine(
    steps: int, epochs: int, warmup: int = 0, floor: float = 0.0, start: float = 0.0
) -> Factor:
    """Half a cosine from 1 to ``floor`` over the run, after ``warmup`` rising steps.

    It begins at ``start``, a fraction of the run (RTMPose: half), if warming up is over then.

    Raises:
        InputError: a start that is no fraction, such as an epoch.
    """
    if not 0 <= start < 1:
        raise InputError(f"expected schedule.start as a fraction of the run, got {start}")
    first = max(warmup, round(start * epochs) * steps)
    total = max(steps * epochs, 1)
    return partial(_cosine, total=total, warmup=warmup, first=first, floor=floor)


def _one(step: int) -> float:
    return 1.0


def _rise(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def _multi_step(step: int, drops: Sequence[int], gamma: float, warmup: int) -> float:
    passed = sum(step >= drop for drop in drops)
    return _rise(step, warmup) * math.pow(gamma, passed)


def _cosine(step: int, total: int, warmup: int, first: int, floor: float) -> float:
    progress = min(max(step - first, 0) / max(total - first, 1), 1.0)
    return _rise(step, warmup) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
