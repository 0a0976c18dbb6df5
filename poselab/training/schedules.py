"""Learning-rate schedules: the factor of the base rate at each step of a run.

A schedule takes the steps of an epoch and the number of epochs, and returns step → factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from poselab.structures import InputError

Factor = Callable[[int], float]
"""Step → factor of the base learning rate."""


def constant(steps: int, epochs: int) -> Factor:
    """The base rate throughout."""
    return _always_one


def multi_step(
    steps: int,
    epochs: int,
    milestones: Sequence[float] = (170 / 210, 200 / 210),
    gamma: float = 0.1,
    warmup: int = 0,
) -> Factor:
    """Multiplied by ``gamma`` at each milestone (a fraction of the run), after a linear warm-up.

    ``warmup`` is in steps. The default milestones are epochs 170 and 200 of 210 (Sun et al. 2019,
    HRNet, section 4.1).

    Raises:
        InputError: milestones that are not fractions (epochs, for example).
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
    """Half a cosine from 1 to ``floor`` over the run, after a linear warm-up of ``warmup`` steps.

    The cosine begins at ``start``, a fraction of the run (RTMPose: half), or after the warm-up if
    that ends later.

    Raises:
        InputError: a start that is not a fraction (an epoch, for example).
    """
    if not 0 <= start < 1:
        raise InputError(f"expected schedule.start as a fraction of the run, got {start}")
    first = max(warmup, round(start * epochs) * steps)
    total = max(steps * epochs, 1)
    return partial(_cosine, total=total, warmup=warmup, first=first, floor=floor)


# Functions of the module and partials of them: processes that are spawned cannot take closures.
def _always_one(step: int) -> float:
    return 1.0


def _warmup_factor(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))  # above zero at the first step, too


def _multi_step(step: int, drops: Sequence[int], gamma: float, warmup: int) -> float:
    passed = sum(step >= drop for drop in drops)
    return _warmup_factor(step, warmup) * math.pow(gamma, passed)


def _cosine(step: int, total: int, warmup: int, first: int, floor: float) -> float:
    progress = min(max(step - first, 0) / max(total - first, 1), 1.0)
    return _warmup_factor(step, warmup) * (
        floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
    )
