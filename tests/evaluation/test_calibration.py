"""Scores against quality: hand cases, SciPy, and values that follow from how scores were made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from poselab.annotations import Annotations
from poselab.evaluation.matching.similarity import oks
from poselab.evaluation.metrics.calibration import (
    calibration,
    joint_calibration,
    pose_calibration,
    reliability,
)
from poselab.evaluation.predictions import Predictions

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]


def instances(make_table: Make, count: int = 40) -> Annotations:
    rng = np.random.default_rng(0)
    points = np.full((count, 17, 3), 2.0)
    points[..., :2] = rng.uniform(0, 100, (count, 17, 2))
    points[..., 2] = rng.random((count, 17)) > 0.3
    return make_table(points)


def noisy(predict: Predict, table: Annotations) -> Predictions:
    rng = np.random.default_rng(1)
    spread = rng.uniform(0, 15, (table.num_instances, 1, 1))
    return predict(table, rng.normal(0, 1, table.keypoints.shape) * spread)


def test_error_and_reliability_by_hand() -> None:
    """Bins of a half: two scores of mean 0.3 and quality 0.5, two of mean 0.8 and quality 0.7."""
    result = calibration(np.array([0.2, 0.4, 0.6, 1.0]), np.array([0.4, 0.6, 0.6, 0.8]), bins=2)
    table = result.reliability
    assert table.counts.tolist() == [2, 2]
    np.testing.assert_allclose(table.scores, [0.3, 0.8])
    np.testing.assert_allclose(table.quality, [0.5, 0.7])
    assert result.error == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)


def test_a_score_on_an_edge_belongs_to_the_upper_bin_and_one_to_the_last() -> None:
    assert reliability(np.array([0.0, 0.5, 1.0]), np.ones(3), bins=2).counts.tolist() == [1, 2]


def test_empty_bins_are_nan_and_do_not_spoil_the_error() -> None:
    result = calibration(np.array([0.05, 0.95]), np.array([0.05, 0.45]))
    assert np.isnan(result.reliability.quality[1:9]).all()
    assert result.error == pytest.approx(0.25)


def test_scores_equal_to_the_quality_have_no_error(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    found = noisy(predict, table)
    quality = oks(found.keypoints, table, np.arange(table.num_instances))
    result = pose_calibration(replace(found, scores=quality), table)
    assert result.error == pytest.approx(0, abs=1e-12)
    assert result.pearson == pytest.approx(1)
    halved = pose_calibration(replace(found, scores=quality / 2), table)
    assert halved.error == pytest.approx(quality.mean() / 2)
    assert halved.pearson == pytest.approx(1)


def test_correlations_are_scipys(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    scores = np.random.default_rng(2).choice([0.1, 0.3, 0.4, 0.9], table.num_instances)
    found = replace(noisy(predict, table), scores=scores)
    result = pose_calibration(found, table)
    quality = oks(found.keypoints, table, np.arange(table.num_instances))
    assert result.pearson == pytest.approx(stats.pearsonr(scores, quality).statistic)
    assert result.spearman == pytest.approx(stats.spearmanr(scores, quality).statistic)


def test_scores_above_one_have_reliability_but_no_error() -> None:
    result = calibration(np.array([0.0, 3.0, 10.0]), np.array([0.1, 0.2, 0.9]), bins=5)
    assert np.isnan(result.error)
    assert result.reliability.edges.tolist() == [0, 2, 4, 6, 8, 10]
    assert result.reliability.counts.tolist() == [1, 1, 0, 0, 1]


def test_unmatched_poses_take_part_only_when_asked(make_table: Make, predict: Predict) -> None:
    """One exact pose a person and one far away: half of the poses have quality 0."""
    table = instances(make_table, 3)
    right, wrong = predict(table), predict(table, 5_000.0)
    wrong = replace(wrong, scores=np.full(3, 0.5))
    both = Predictions(
        *(
            np.concatenate([getattr(right, name), getattr(wrong, name)])
            for name in ("image_ids", "annotation_ids", "keypoints", "keypoint_scores", "scores")
        )
    )
    assert pose_calibration(both, table).quality.tolist() == [1, 1, 1]
    every = pose_calibration(both, table, unmatched=True)
    assert sorted(every.quality.tolist()) == [0, 0, 0, 1, 1, 1]
    assert every.error == pytest.approx(0.25)
    part = pose_calibration(both, table, image_ids=table.image_ids[:1], unmatched=True)
    assert sorted(part.quality.tolist()) == [0, 1]


def test_only_labelled_joints_are_compared(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    found = noisy(predict, table)
    result = joint_calibration(found, table)
    assert len(result.scores) == int((table.visibility > 0).sum())
    person = int(np.flatnonzero((table.visibility > 0).any(axis=1))[0])
    joint = int(np.flatnonzero(table.visibility[person])[0])
    squared = np.square(found.keypoints[person, joint] - table.keypoints[person, joint]).sum()
    sigma = table.skeleton.oks_sigmas[joint]
    expected = np.exp(-squared / (2 * (2 * sigma) ** 2 * table.areas[person]))
    assert result.quality[0] == pytest.approx(expected)


def test_without_poses_everything_is_nan(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    none = predict(table).take(np.zeros(table.num_instances, dtype=bool))
    for result in (pose_calibration(none, table), joint_calibration(none, table)):
        assert np.isnan([result.pearson, result.spearman, result.error]).all()
        assert result.reliability.counts.sum() == 0


def test_only_held_out_people_count_where_there_are_any(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    held_out = np.arange(table.num_instances) >= 30
    part = pose_calibration(
        noisy(predict, table), replace(table, held_out=held_out), unmatched=True
    )
    same = pose_calibration(noisy(predict, table), table, table.image_ids[30:], unmatched=True)
    assert part.quality.tolist() == same.quality.tolist()
    assert len(part.quality) == 10
