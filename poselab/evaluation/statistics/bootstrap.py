"""Uncertainty of metric values and their differences: paired bootstrap over images and seeds.

Every replicate draws as many images as there are, with replacement, and scores all methods on
that same sample by the metric's own accumulation (Efron and Tibshirani 1993, chapters 6, 13, 16).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erfc, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import metrics_of, point_values
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poselab.evaluation.accumulator import Accumulator
    from poselab.evaluation.record import Metrics
    from poselab.structures import Floats, Ints

REPLICATES = 1000
LEVEL = 0.95
_FEWEST_ROWS = 50  # replicates drawn and scored together
_CELLS = 100_000  # of few images more, as long as their weights are so few
_POWER = 0.8416  # normal quantile of a power of 0.8
_TWO_SIDED = 1.9600  # and of a two-sided level of 0.05


class PairedDifference(NamedTuple):
    """Values (F,) of a method minus those of another, with interval, standard error and p-value.

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
    """``values`` (F,) of one method, and its ``samples`` (R, F): the values on resampled images.

    Two methods may be subtracted sample by sample where both come from one :func:`resample`.
    """

    keys: tuple[str, ...]
    values: Floats
    samples: Floats

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Ends (F,) of the percentile confidence intervals, NaN where no sample can be measured."""
        return _percentiles(self.samples, level)

    def minus(self, other: Replicates, level: float = LEVEL) -> PairedDifference:
        """The paired difference from another method.

        p is two-sided: twice the smaller share of samples on either side of no difference, counting
        the observed set itself as one more sample, so that it is never zero (Davison and Hinkley
        1997, section 4.2). Where no sample at all crosses zero, shares can only say less than
        2 / (R + 1): the tail of a normal law with the samples' standard error then says how much.
        """
        samples, value = self.samples - other.samples, self.values - other.values
        low, high = _percentiles(samples, level)
        error = _standard_error(samples)
        known = np.maximum(np.count_nonzero(~np.isnan(samples), axis=0), 1)
        fewer = np.minimum((samples <= 0).sum(axis=0), (samples >= 0).sum(axis=0))
        p = np.minimum(1.0, 2 * (fewer + 1) / (known + 1))
        for n in np.flatnonzero((fewer == 0) & (error > 0)):
            p[n] = min(p[n], erfc(abs(value[n]) / error[n] / sqrt(2)))
        return PairedDifference(value, low, high, error, p)


def resample(
    methods: Sequence[Sequence[Accumulator]],
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> list[Replicates]:
    """Replicates of every method on the same samples of images; a method is its runs (seeds).

    Several runs of a method are a second level: each replicate draws as many of its runs, with
    replacement, and takes their mean. ``progress`` is called with each number of new replicates.

    Raises:
        InputError: the runs were not scored on the same images.
    """
    _check_same_images(methods)
    samples: list[list[Floats]] = [[] for _ in methods]
    # The images are drawn from a stream of their own, so that they are the same for any methods.
    generators = [np.random.default_rng([seed, 1, n]) for n in range(len(methods))]
    for weights in _weights(len(methods[0][0].image_ids), replicates, seed):
        for of_method, runs, rng in zip(samples, methods, generators, strict=True):
            of_method.append(_sample_method(runs, weights, rng))
        progress(len(weights))
    return [
        Replicates(
            tuple(runs[0].keys),
            np.mean([list(point_values(run).values()) for run in runs], axis=0),
            np.concatenate(of_method),
        )
        for runs, of_method in zip(methods, samples, strict=True)
    ]


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


def _sample_method(runs: Sequence[Accumulator], weights: Ints, rng: np.random.Generator) -> Floats:
    """Values (R, F) of a method: the mean over its runs, resampled with replacement."""
    values = np.stack([run.values(weights) for run in runs], axis=1)  # R S F
    if len(runs) == 1:
        return values[:, 0]
    drawn = rng.integers(len(runs), size=(len(weights), len(runs)))
    mean: Floats = np.take_along_axis(values, drawn[..., None], axis=1).mean(axis=1)
    return mean


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
    tails = [(1 - level) / 2, (1 + level) / 2]
    known = ~np.isnan(samples).all(axis=0)
    ends = np.full((2, samples.shape[1]), np.nan)
    ends[:, known] = np.nanquantile(samples[:, known], tails, axis=0)
    return ends[0], ends[1]


def _standard_error(samples: Floats) -> Floats:
    """Standard error (F,) from the samples."""
    known = ~np.isnan(samples).all(axis=0)
    error = np.full(samples.shape[1], np.nan)
    error[known] = np.nanstd(samples[:, known], axis=0, ddof=1)
    return error


def holm(p: Floats) -> Floats:
    """p-values (n,) corrected for their number (Holm 1979), in the given order.

    The family-wise error stays below any level at which corrected values are read.
    """
    order = np.argsort(p)
    stepped = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return corrected
