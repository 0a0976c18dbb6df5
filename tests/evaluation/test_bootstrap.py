"""Intervals, differences and p-values: hand cases, laws, and coverage by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.metrics.joint_rates import RateAccumulator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.statistics.bootstrap import Replicates, holm, resample
from poselab.skeletons import LSP14
from poselab.structures import InputError

K = len(LSP14)


def accumulated(rights: np.ndarray) -> RateAccumulator:
    """Images (N,) with so many of their 14 joints right."""
    right = np.arange(K)[None] < rights[:, None]
    ids = np.arange(1, len(rights) + 1)
    return RateAccumulator(ids, np.ones((len(rights), K)), {"PCK": right.astype(float)}, LSP14, {})


def test_interval_is_that_of_the_binomial() -> None:
    """All-or-nothing images: the rate's standard error is known, √(p(1-p)/N)."""
    rng = np.random.default_rng(0)
    rights = np.where(rng.random(400) < 0.7, K, 0)
    (replicates,) = resample([[accumulated(rights)]], replicates=2000)
    rate = (rights > 0).mean()
    error = np.sqrt(rate * (1 - rate) / 400)
    low, high = replicates.interval()
    assert replicates.values[0] == pytest.approx(rate)
    assert low[0] == pytest.approx(rate - 1.96 * error, abs=0.005)
    assert high[0] == pytest.approx(rate + 1.96 * error, abs=0.005)


def test_pairing_cancels_what_methods_share() -> None:
    """One method is always one joint behind: the difference has no spread, the values have."""
    rights = np.random.default_rng(1).integers(1, K + 1, 200)
    better, worse = resample([[accumulated(rights)], [accumulated(rights - 1)]], replicates=200)
    difference = better.minus(worse)
    assert difference.value[0] == pytest.approx(1 / K)
    assert difference.low[0] == pytest.approx(difference.high[0])
    assert difference.error[0] == pytest.approx(0, abs=1e-12)
    assert difference.p[0] <= 2 / 201
    assert better.samples[:, 0].std() > 0.01


def test_p_value_by_hand() -> None:
    """Of 9 samples of a difference, 2 fall at or below zero: p = 2·(2 + 1)/(9 + 1)."""
    samples = np.array([-1.0, 0.0, 1, 1, 1, 1, 1, 1, 1])[:, None] + 5
    first = Replicates(("AP",), np.array([6.0]), samples)
    second = Replicates(("AP",), np.array([5.0]), np.full((9, 1), 5.0))
    assert first.minus(second).p[0] == pytest.approx(0.6)
    assert second.minus(first).p[0] == pytest.approx(0.6)


def test_p_value_of_no_crossing_is_the_normal_tail() -> None:
    """No sample of 400 reaches zero: 3 standard errors are p = 0.0027, shares of samples 0.005."""
    samples = 3 + np.random.default_rng(0).normal(0, 1, (400, 1))
    samples = samples[samples[:, 0] > 0]
    samples = (samples - samples.mean()) / samples.std(ddof=1) + 3
    samples = samples[(samples > 0).all(axis=1)]
    first = Replicates(("AP",), np.array([3.0]), samples)
    second = Replicates(("AP",), np.zeros(1), np.zeros_like(samples))
    error = samples.std(ddof=1)
    assert first.minus(second).p[0] == pytest.approx(math.erfc(3 / error / math.sqrt(2)))
    assert first.minus(second).p[0] < 2 / 401


def test_same_method_twice_differs_by_nothing() -> None:
    rights = np.random.default_rng(2).integers(0, K + 1, 50)
    one, other = resample([[accumulated(rights)], [accumulated(rights)]], replicates=100)
    difference = one.minus(other)
    assert not difference.value.any()
    np.testing.assert_array_equal(difference.p, 1.0)


def test_equal_seeds_give_equal_intervals() -> None:
    rights = np.random.default_rng(3).integers(0, K + 1, 50)
    first, again, other = (
        resample([[accumulated(rights)]], 60, seed)[0].samples for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_several_seeds_widen_the_interval() -> None:
    """Runs that differ by much more than images do: the second level shows it."""
    rights = np.full(500, 7)
    runs = [accumulated(rights + shift) for shift in (-3, 0, 3)]
    together, alone = resample([runs, [accumulated(rights)]], replicates=500)
    assert together.values[0] == pytest.approx(0.5)
    assert alone.samples[:, 0].std() == pytest.approx(0, abs=1e-12)
    # The mean of three runs resampled from three: deviation of the runs over √3.
    assert together.samples[:, 0].std() == pytest.approx(
        np.std([-3, 0, 3]) / K / np.sqrt(3), rel=0.1
    )


def test_different_images_raise() -> None:
    with pytest.raises(InputError, match="expected all methods scored on the same 5 images"):
        resample([[accumulated(np.full(5, 1))], [accumulated(np.full(6, 1))]], replicates=2)


def test_holm_by_hand() -> None:
    """0.01·4, 0.02·3, 0.03·2 held up by its forerunner, 0.9·1 (order kept)."""
    corrected = holm(np.array([0.03, 0.01, 0.9, 0.02]))
    np.testing.assert_allclose(corrected, [0.06, 0.04, 0.9, 0.06])
    assert holm(np.array([])).size == 0


def scenes(
    make_table: Callable[..., Annotations], images: int
) -> tuple[Annotations, list[Predictions]]:
    """Two people an image and two methods: images are hard for both, the second errs more."""
    rng = np.random.default_rng(7)
    points = np.full((2 * images, K, 3), 2.0)
    points[..., :2] = rng.uniform(0, 100, (2 * images, K, 2))
    points[1::2, :, 0] += 300
    table = make_table(points, LSP14, images=np.repeat(np.arange(images), 2))
    hard = np.repeat(rng.gamma(2.0, 3.0, images), 2)
    methods = []
    for spread in (1.0, 1.15):
        noise = rng.normal(size=(2 * images, K, 2)) * (spread * hard)[:, None, None]
        scores = np.exp(-hard / 10) * rng.uniform(0.5, 1, 2 * images)
        rows = table.image_of()
        found = Predictions(
            table.image_ids[rows],
            np.full(2 * images, -1),
            table.keypoints + noise,
            np.ones((2 * images, K)),
            scores,
        )
        methods.append(found.take(rng.random(2 * images) < 0.95))
    return table, methods


SETS, IMAGES = 120, 80


def test_intervals_cover_the_true_difference(make_table: Callable[..., Annotations]) -> None:
    """Sets drawn from a large population of which the AP difference of two methods is known.

    Of 120 intervals of 95 %, 107 to 119 must cover it (the 0.1 % quantiles of the binomial).
    """
    table, methods = scenes(make_table, 3000)
    rng = np.random.default_rng(0)
    evaluator = OksEvaluator(sigmas=[0.08] * K)
    first, second = (evaluator(found, table).values["AP"] for found in methods)
    covered = 0
    for _ in range(SETS):
        part = table.select(np.sort(rng.choice(len(table), IMAGES, replace=False)))
        among = [found.take(np.isin(found.image_ids, part.image_ids)) for found in methods]
        accumulators = [[evaluator.accumulate(found, part)] for found in among]
        one, other = resample(accumulators, replicates=200, seed=int(rng.integers(1 << 30)))
        difference = one.minus(other)
        covered += bool(difference.low[0] <= first - second <= difference.high[0])
    assert first - second > 0.02
    assert 107 <= covered <= 119
