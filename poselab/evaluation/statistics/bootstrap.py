"""Uncertainty of metric values and their differences: paired bootstrap over images and seeds.

Every replicate draws as many images as there are, with replacement, and scores all methods on
that same sample by the metric's own accumulation (Efron and Tibshirani 1993, chapters 6, 13, 16).
A few runs cannot be resampled likewise, as S runs drawn from S lose (S - 1) / S of their variance:
the variance of a mean over runs is estimated from the runs themselves, and intervals of several
runs are those of Student's t with the degrees of freedom of Satterthwaite (1946).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import erfc, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from poselab.evaluation.accumulator import metrics_of, point_values
from poselab.io.background import in_background
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poselab.evaluation.accumulator import Accumulator
    from poselab.evaluation.record import Metrics
    from poselab.structures import Floats, Ints

REPLICATES = 1000
LEVEL = 0.95
_FEWEST_ROWS = 32  # replicates drawn and scored together
_CELLS = 100_000  # of few images more, as long as their weights are so few
_MANY_IMAGES = 2_000_000  # of all replicates and methods, which two processes resample faster
_POWER = 0.8
_NORMAL = 1e6  # degrees of freedom with which Student's t is normal


class PairedDifference(NamedTuple):
    """Values (F,) of a method minus those of another, with interval, standard error and p-value.

    ``freedom`` (F,) are the degrees of freedom of the standard error: few where few runs tell it.
    """

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    freedom: Floats
    p: Floats

    def minimum_detectable(self, comparisons: int = 1) -> Floats:
        """The smallest true differences (F,) that a set and runs like these would show.

        With a power of 0.8 at a level of 0.05, shared among ``comparisons``, as the smallest
        p-value has to pass it in Holm's correction.
        """
        two_sided = stdtrit(self.freedom, 1 - (1 - LEVEL) / (2 * comparisons))
        detectable: Floats = (two_sided + stdtrit(self.freedom, _POWER)) * self.error
        return detectable


class RunSpread(NamedTuple):
    """How far a mean (F,) over S training runs varies with the runs.

    ``variance`` (F,) is that of the mean. Runs also differ in which images they get right; this
    part of it, ``in_samples`` (F,), is in the variance over resampled images already. ``freedom``
    is S - 1.
    """

    variance: Floats
    in_samples: Floats
    freedom: int


@dataclass(frozen=True)
class Replicates:
    """``values`` (F,) of one method, and its ``samples`` (R, F): the values on resampled images.

    Two methods may be subtracted sample by sample where both come from one :func:`resample`.
    """

    keys: tuple[str, ...]
    values: Floats
    samples: Floats
    spread: RunSpread | None = None

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Ends (F,) of the confidence intervals, NaN where no sample can be measured.

        Percentiles of the samples; with several runs their distances from the value are widened by
        the variance between runs.
        """
        found = _uncertainty(self.values, self.samples, _known([self.spread]), level)
        return found.low, found.high

    def minus(self, other: Replicates, level: float = LEVEL) -> PairedDifference:
        """The paired difference from another method.

        p is two-sided. With several runs it is the level at which the interval touches zero. With
        one run it is twice the smaller share of samples on either side of no difference, counting
        the observed set itself as one more sample, so that it is never zero (Davison and Hinkley
        1997, section 4.2). Where no sample at all crosses zero, shares can only say less than
        2 / (R + 1): the tail of a normal law with the samples' standard error then says how much.
        """
        samples, value = self.samples - other.samples, self.values - other.values
        spreads = _known([self.spread, other.spread])
        low, high, error, freedom = _uncertainty(value, samples, spreads, level)
        if spreads:
            reach = np.where(value > 0, value - low, high - value)
            quantile = stdtrit(freedom, (1 + level) / 2)
            p = 2 * stdtr(freedom, -quantile * np.abs(value) / np.where(reach > 0, reach, np.nan))
            p = np.where(reach > 0, p, np.where(value == 0, 1.0, 0.0))
            return PairedDifference(value, low, high, error, freedom, p)
        known = np.maximum(np.count_nonzero(~np.isnan(samples), axis=0), 1)
        fewer = np.minimum((samples <= 0).sum(axis=0), (samples >= 0).sum(axis=0))
        p = np.minimum(1.0, 2 * (fewer + 1) / (known + 1))
        for n in np.flatnonzero((fewer == 0) & (error > 0)):
            p[n] = min(p[n], erfc(abs(value[n]) / error[n] / sqrt(2)))
        return PairedDifference(value, low, high, error, freedom, p)


def resample(
    methods: Sequence[Sequence[Accumulator]],
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> list[Replicates]:
    """Replicates of every method on the same samples of images; a method is its runs (seeds).

    Samples of a method with several runs are means over them. ``progress`` is called with each
    number of new replicates.

    Raises:
        InputError: the runs were not scored on the same images.
    """
    _check_same_images(methods)
    half = len(methods) // 2
    many = len(methods) * len(methods[0][0].image_ids) * replicates >= _MANY_IMAGES
    of_half = partial(_samples, methods[:half], replicates, seed)
    with in_background(of_half, worth_it=many and half > 0) as first:
        others = _samples(methods[half:], replicates, seed, progress)
        samples = [*first(), *others]
    return [_replicates(runs, of_runs) for runs, of_runs in zip(methods, samples, strict=True)]


def _samples(
    methods: Sequence[Sequence[Accumulator]],
    replicates: int,
    seed: int,
    progress: Callable[[int], Any] = int,
) -> list[Floats]:
    """The samples (S, R, F) of the S runs of each method: the same images whichever methods."""
    samples: list[list[Floats]] = [[] for _ in methods]
    for weights in _weights(len(methods[0][0].image_ids), replicates, seed) if methods else ():
        for of_method, runs in zip(samples, methods, strict=True):
            of_method.append(np.stack([run.values(weights) for run in runs]))
        progress(len(weights))
    return [np.concatenate(of_method, axis=1) for of_method in samples]


def _replicates(runs: Sequence[Accumulator], samples: Floats) -> Replicates:
    """A method's replicates from the samples (S, R, F) of its runs."""
    keys = tuple(runs[0].keys)
    values = np.array([list(point_values(run).values()) for run in runs])
    if len(runs) == 1:
        return Replicates(keys, values[0], samples[0])
    mean, freedom = samples.mean(axis=0), len(runs) - 1
    apart = np.sum([_variance(run - mean) for run in samples], axis=0)
    spread = RunSpread(
        values.var(axis=0, ddof=1) / len(runs), apart / (len(runs) * freedom), freedom
    )
    return Replicates(keys, values.mean(axis=0), mean, spread)


def metrics_with_intervals(
    accumulator: Accumulator, replicates: int = REPLICATES, seed: int = 0
) -> Metrics:
    """The values of the set itself with bootstrap confidence intervals."""
    (sampled,) = resample([[accumulator]], replicates, seed)
    return with_intervals(metrics_of(accumulator), sampled, seed)


def with_intervals(metrics: Metrics, replicates: Replicates, seed: int) -> Metrics:
    """The same metrics with the confidence intervals that replicates give, and how."""
    ends = zip(replicates.keys, *replicates.interval(), strict=True)
    how = {
        "kind": "percentile bootstrap over images",
        "level": LEVEL,
        "replicates": len(replicates.samples),
        "seed": seed,
    }
    return replace(
        metrics,
        interval={key: (float(low), float(high)) for key, low, high in ends},
        comparability=metrics.comparability | {"interval": how},
    )


def _weights(images: int, replicates: int, seed: int) -> Iterator[Ints]:
    """How often each image is drawn, (rows, N) at a time."""
    rng = np.random.default_rng([seed, 0])
    at_once = max(_FEWEST_ROWS, _CELLS // max(images, 1))
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = rng.integers(images, size=(rows, images))
        drawn += images * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images)


def _check_same_images(methods: Sequence[Sequence[Accumulator]]) -> None:
    first = methods[0][0]
    for run in (run for runs in methods for run in runs):
        if not np.array_equal(run.image_ids, first.image_ids) or run.keys != first.keys:
            raise InputError(
                f"expected all methods scored on the same {len(first.image_ids)} images by the "
                f"same metrics, got {len(run.image_ids)} images; score them against one file"
            )


def _percentiles(samples: Floats, level: float) -> tuple[Floats, Floats]:
    # Bias-corrected limits (BC, BCa) cover no better at low, middle or high AP: what was measured
    # is in notebooks/intervals.ipynb.
    tails = [(1 - level) / 2, (1 + level) / 2]
    known = ~np.isnan(samples).all(axis=0)
    ends = np.full((2, samples.shape[1]), np.nan)
    ends[:, known] = np.nanquantile(samples[:, known], tails, axis=0)
    return ends[0], ends[1]


def _variance(samples: Floats) -> Floats:
    """Variance (F,) of the samples (R, F), NaN where none is known."""
    known = ~np.isnan(samples).all(axis=0)
    variance = np.full(samples.shape[1], np.nan)
    variance[known] = np.nanvar(samples[:, known], axis=0, ddof=1)
    return variance


def _known(spreads: Sequence[RunSpread | None]) -> list[RunSpread]:
    return [spread for spread in spreads if spread is not None]


class _Uncertainty(NamedTuple):
    """Ends of an interval, the standard error and its degrees of freedom, each (F,)."""

    low: Floats
    high: Floats
    error: Floats
    freedom: Floats


def _uncertainty(
    values: Floats, samples: Floats, spreads: Sequence[RunSpread], level: float
) -> _Uncertainty:
    """That of values (F,) with samples (R, F), each method with several runs having a spread."""
    low, high = _percentiles(samples, level)
    resampled = _variance(samples)
    if not spreads:
        return _Uncertainty(low, high, np.sqrt(resampled), np.full(len(values), _NORMAL))
    of_runs = np.sum([spread.variance for spread in spreads], axis=0)
    # Where runs err on other images, samples of images show a part of the variance between runs.
    of_images = np.maximum(resampled - np.sum([s.in_samples for s in spreads], axis=0), 0)
    freedom = _freedom(of_images + of_runs, spreads)
    quantile = _quantile(of_images, of_runs, freedom, spreads, level)
    # Samples may lean to one side, so that each end has its own variance over images.
    share = np.divide(of_images, resampled, out=np.zeros_like(of_images), where=resampled > 0)
    below, above = (
        share * np.square(np.maximum(distance, 0) / ndtri((1 + level) / 2))
        for distance in (values - low, high - values)
    )
    return _Uncertainty(
        values - quantile * np.sqrt(below + of_runs),
        values + quantile * np.sqrt(above + of_runs),
        np.sqrt(of_images + of_runs),
        freedom,
    )


def _freedom(variance: Floats, spreads: Sequence[RunSpread]) -> Floats:
    """Degrees of freedom (F,) of a sum of variances, that of images known as well as a normal law's
    and those of S runs with S - 1 (Satterthwaite 1946, Biometrics Bulletin 2, equation 17)."""
    few = np.sum([spread.variance**2 / spread.freedom for spread in spreads], axis=0)
    freedom: Floats = np.full(len(variance), _NORMAL)
    np.divide(variance**2, few, out=freedom, where=few > 0)
    return freedom.clip(max=_NORMAL)


def _quantile(
    of_images: Floats,
    of_runs: Floats,
    freedom: Floats,
    spreads: Sequence[RunSpread],
    level: float,
) -> Floats:
    """How many standard errors (F,) an interval reaches to either side.

    Student's quantile for a difference. Of one method that alone covers .87 to .95 where one
    variance of two is estimated from two runs; Cochran's (1964, Biometrics 20, page 191) mean of
    the normal and Student's quantile, weighted by the variances, covers .94 to .98.
    """
    tail = (1 + level) / 2
    if len(spreads) > 1:
        return np.asarray(stdtrit(freedom, tail))
    of_t, total = stdtrit(spreads[0].freedom, tail), of_images + of_runs
    quantile = np.full(len(total), of_t)
    np.divide(of_images * ndtri(tail) + of_runs * of_t, total, out=quantile, where=total > 0)
    return quantile


def holm(p: Floats) -> Floats:
    """p-values (n,) corrected for their number (Holm 1979), in the given order.

    The family-wise error stays below any level at which corrected values are read.
    """
    order = np.argsort(p)
    stepped = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return corrected
