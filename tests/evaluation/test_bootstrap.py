"""Intervals, differences and p-values: hand cases, laws, and coverage by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import ttest_ind

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


def test_runs_that_differ_alone_give_students_interval() -> None:
    """Images add nothing: the mean of three runs has the interval of Student's t, freedom 2."""
    rights = np.full(500, 7)
    runs = [accumulated(rights + shift) for shift in (-3, 0, 3)]
    together, alone = resample([runs, [accumulated(rights)]], replicates=50)
    half = 4.30265273 * (3 / K) / np.sqrt(3)
    low, high = together.interval()
    assert (low[0], high[0]) == pytest.approx((0.5 - half, 0.5 + half))
    assert alone.interval()[0][0] == alone.interval()[1][0] == pytest.approx(0.5)
    difference = together.minus(alone)
    assert difference.error[0] == pytest.approx((3 / K) / np.sqrt(3))
    assert difference.freedom[0] == pytest.approx(2)
    assert difference.p[0] == 1.0


def test_two_groups_of_runs_are_welchs_test() -> None:
    """The p-value of scipy.stats.ttest_ind(equal_var=False), where images add nothing."""
    first, second = [9, 10, 12], [7, 8, 8]
    groups = [[accumulated(np.full(40, right)) for right in rights] for rights in (first, second)]
    one, other = resample(groups, replicates=20)
    difference = one.minus(other)
    welch = ttest_ind(first, second, equal_var=False)
    assert difference.p[0] == pytest.approx(welch.pvalue)
    assert difference.freedom[0] == pytest.approx(welch.df)
    ends = np.array(welch.confidence_interval()) / K
    assert (difference.low[0], difference.high[0]) == pytest.approx(tuple(ends))


class Trials:
    """Many sets at once, each as a metric: means over N images of values (N, F)."""

    def __init__(self, of_images: np.ndarray) -> None:
        self.of_images, self.comparability = of_images, dict[str, object]()
        self.keys = [str(n) for n in range(of_images.shape[1])]
        self.image_ids = np.arange(len(of_images))

    def values(self, weights: np.ndarray) -> np.ndarray:
        means: np.ndarray = weights @ self.of_images / len(self.of_images)
        return means


TRIALS = 1000


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
@pytest.mark.parametrize(("images", "apart"), [(0.3, 1.0), (1.0, 0.0), (3.0, 1.0)])
def test_intervals_of_several_runs_cover(runs: int, images: float, apart: float) -> None:
    """No true difference: 95 % of intervals hold it, and p < 0.05 is found in 5 %, to within 2.

    The variance between means over runs is 1; that of images is ``images``² of it, and runs err on
    other images by ``apart``² of it. With two runs a single method's interval may cover more.
    """
    rng, count = np.random.default_rng(0), 200

    def method() -> list[Trials]:
        of_images = images * rng.normal(size=(count, TRIALS)) * np.sqrt(count)
        return [
            Trials(
                of_images
                + rng.normal(size=TRIALS) * np.sqrt(runs)
                + apart * rng.normal(size=(count, TRIALS)) * np.sqrt(count * runs)
            )
            for _ in range(runs)
        ]

    one, other = resample([method(), method()], replicates=500)
    difference = one.minus(other)
    covered = (difference.low <= 0) & (difference.high >= 0)
    np.testing.assert_array_equal(covered, difference.p >= 0.05)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    low, high = one.interval()
    assert 0.925 <= ((low <= 0) & (high >= 0)).mean() <= 0.985


class Rankings:
    """Many sets at once, each as a metric: the AP of N images with three people and poses each.

    The easier an image, the likelier a pose is right and the higher it scores.
    """

    def __init__(self, rng: np.random.Generator, ease: float, images: int, sets: int) -> None:
        easy = ease + rng.normal(size=(sets, images)).repeat(3, axis=1)
        easy += rng.normal(size=easy.shape)
        right = rng.random(easy.shape) < 1 / (1 + np.exp(-2 * easy))
        best_first = np.argsort(-easy - rng.normal(size=easy.shape), axis=1)
        self.right, self.image = np.take_along_axis(right, best_first, axis=1), best_first // 3
        self.image_ids, self.comparability = np.arange(images), dict[str, object]()
        self.keys = [str(n) for n in range(sets)]

    def values(self, weights: np.ndarray) -> np.ndarray:
        columns = []
        for right, image in zip(self.right, self.image, strict=True):
            poses = weights[:, image]
            found = poses * right
            precision = np.cumsum(found, axis=1) / np.maximum(np.cumsum(poses, axis=1), 1)
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            columns.append((found * best).sum(axis=1) / (3 * weights.sum(axis=1)))
        return np.stack(columns, axis=1)


@pytest.mark.parametrize(("ease", "about"), [(-1.8, 0.07), (0.0, 0.42), (2.0, 0.87)])
def test_intervals_cover_low_middle_and_high_average_precision(ease: float, about: float) -> None:
    """Of one method on 100 images; the true value is that of 30,000."""
    rng = np.random.default_rng(0)
    true = Rankings(rng, ease, 30_000, 1).values(np.ones((1, 30_000), np.int64))[0, 0]
    assert true == pytest.approx(about, abs=0.03)
    (replicates,) = resample([[Rankings(rng, ease, 100, 300)]], replicates=250)
    low, high = replicates.interval()
    assert ((low <= true) & (true <= high)).mean() == pytest.approx(0.95, abs=0.03)


def test_minimum_detectable_difference_is_found_four_times_in_five() -> None:
    """For normal differences, and fewer where ten comparisons share the level."""
    rng, count = np.random.default_rng(0), 100
    noise = rng.normal(size=(2, count, TRIALS))
    one, other = resample([[Trials(noise[0])], [Trials(noise[1])]], replicates=400)
    true = np.sqrt(2 / count) * (1.959964 + 0.841621)
    difference = one.minus(other)
    assert np.median(difference.minimum_detectable()) == pytest.approx(true, rel=0.02)
    found = (difference.value + true) / difference.error > 1.959964
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    ratio = difference.minimum_detectable(10) / difference.minimum_detectable()
    assert ratio == pytest.approx((2.807034 + 0.841621) / (1.959964 + 0.841621))


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
