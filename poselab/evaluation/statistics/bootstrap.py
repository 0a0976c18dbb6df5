"""How sure figures and their differences are: paired bootstrap over images, and over seeds.

Every replicate draws as many images as there are, with replacement, and scores all methods on
that same draw by the metric's own accumulation (Efron and Tibshirani 1993, chapters 6, 13 and 16).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erfc, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poselab.evaluation.accumulator import Tally
    from poselab.evaluation.record import Metrics
    from poselab.structures import Floats, Ints

REPLICATES = 1000
LEVEL = 0.95
_ROWS = 50  # replicates drawn and scored together
_POWER = 0.8416  # normal quantile of a power of 0.8
_TWO_SIDED = 1.9600  # and of a two-sided level of 0.05


class Difference(NamedTuple):
    """Figures (F,) of a method minus those of another, with interval, standard error and p-value.

    ``detectable`` (F,) is the smallest true difference that a set like this one would show at the
    0.05 level four times in five: 2.8 standard errors.
    """

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    p: Floats

    @property
    def detectable(self) -> Floats:
        """Smallest difference found with power 0.8 at level 0.05."""
        return (_TWO_SIDED + _POWER) * self.error


@dataclass(frozen=True)
class Replicates:
    """Figures of one method: ``values`` (F,) as measured, ``draws`` (R, F) on resampled images.

    Two methods may be subtracted draw by draw where both come from one call of :func:`resampled`.
    """

    keys: tuple[str, ...]
    values: Floats
    draws: Floats

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Percentile confidence limits (F,), NaN where no draw could be measured."""
        return _limits(self.draws, level)

    def minus(self, other: Replicates, level: float = LEVEL) -> Difference:
        """The paired difference from another method.

        p is two-sided: twice the smaller share of draws on either side of no difference, counting
        the observed set itself as one more draw, so that it is never zero (Davison and Hinkley
        1997, section 4.2). Where no draw at all crosses zero, shares can only say less than
        2 / (R + 1): the tail of a normal law with the draws' standard error then says how much.
        """
        draws, value = self.draws - other.draws, self.values - other.values
        low, high = _limits(draws, level)
        error = _spread(draws)
        known = np.maximum(np.count_nonzero(~np.isnan(draws), axis=0), 1)
        fewer = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
        p = np.minimum(1.0, 2 * (fewer + 1) / (known + 1))
        for n in np.flatnonzero((fewer == 0) & (error > 0)):
            p[n] = min(p[n], erfc(abs(value[n]) / error[n] / sqrt(2)))
        return Difference(value, low, high, error, p)


def resampled(
    methods: Sequence[Sequence[Tally]],
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> list[Replicates]:
    """Replicates of every method on the same draws of images; a method is its runs (seeds).

    Several runs of a method are a second level: each replicate draws as many of its runs, with
    replacement, and takes their mean. ``progress`` is told how many replicates were added.

    Raises:
        InputError: the runs do not answer for the same images.
    """
    _refuse_other_images(methods)
    images = len(methods[0][0].image_ids)
    draws: list[list[Floats]] = [[] for _ in methods]
    luck = [np.random.default_rng([seed, 1, n]) for n in range(len(methods))]
    for weights in _weights(images, replicates, seed):
        for parts, runs, rng in zip(draws, methods, luck, strict=True):
            parts.append(_one_method(runs, weights, rng))
        progress(len(weights))
    whole = np.ones((1, images), np.int64)
    return [
        Replicates(
            tuple(runs[0].keys),
            np.mean([run.figures(whole)[0] for run in runs], axis=0),
            np.concatenate(parts),
        )
        for runs, parts in zip(methods, draws, strict=True)
    ]


def with_intervals(
    metrics: Metrics, tally: Tally, replicates: int = REPLICATES, seed: int = 0
) -> Metrics:
    """The same record with confidence limits of every figure, from draws of its own."""
    (drawn,) = resampled([[tally]], replicates, seed)
    return limited(metrics, drawn, seed)


def limited(metrics: Metrics, drawn: Replicates, seed: int) -> Metrics:
    """The same record with the confidence limits that its replicates give, and how."""
    limits = zip(drawn.keys, *drawn.interval(), strict=True)
    how = {
        "kind": "percentile bootstrap over images",
        "level": LEVEL,
        "replicates": len(drawn.draws),
        "seed": seed,
    }
    interval = {key: (float(low), float(high)) for key, low, high in limits}
    return replace(
        metrics, interval=interval, comparability=metrics.comparability | {"interval": how}
    )


def _one_method(runs: Sequence[Tally], weights: Ints, rng: np.random.Generator) -> Floats:
    """Figures (R, F): the mean over as many drawn runs as there are."""
    figures = np.stack([run.figures(weights) for run in runs], axis=1)  # R S F
    if len(runs) == 1:
        return figures[:, 0]
    drawn = rng.integers(len(runs), size=(len(weights), len(runs)))
    mean: Floats = np.take_along_axis(figures, drawn[..., None], axis=1).mean(axis=1)
    return mean


def _weights(images: int, replicates: int, seed: int) -> Iterator[Ints]:
    """How often each image is drawn, (rows, N) at a time."""
    rng = np.random.default_rng([seed, 0])
    for start in range(0, replicates, _ROWS):
        rows = min(_ROWS, replicates - start)
        drawn = rng.integers(images, size=(rows, images))
        drawn += images * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)


def _refuse_other_images(methods: Sequence[Sequence[Tally]]) -> None:
    first = methods[0][0]
    for run in (run for runs in methods for run in runs):
        if not np.array_equal(run.image_ids, first.image_ids) or run.keys != first.keys:
            raise InputError(
                f"expected all methods scored on the same {len(first.image_ids)} images by the "
                f"same figures, got {len(run.image_ids)} images; score them against one file"
            )


def _limits(draws: Floats, level: float) -> tuple[Floats, Floats]:
    tails = [(1 - level) / 2, (1 + level) / 2]
    known = ~np.isnan(draws).all(axis=0)
    limits = np.full((2, draws.shape[1]), np.nan)
    limits[:, known] = np.nanquantile(draws[:, known], tails, axis=0)
    return limits[0], limits[1]


def _spread(draws: Floats) -> Floats:
    """Standard error (F,) from the draws."""
    known = ~np.isnan(draws).all(axis=0)
    spread = np.full(draws.shape[1], np.nan)
    spread[known] = np.nanstd(draws[:, known], axis=0, ddof=1)
    return spread


def holm(p: Floats) -> Floats:
    """p-values (n,) corrected for their number (Holm 1979), in the given order.

    The family-wise error stays below any level at which corrected values are read.
    """
    order = np.argsort(p)
    stepped = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return corrected
