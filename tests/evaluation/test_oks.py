"""Object keypoint similarity by hand, and what the evaluator records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import LSP14
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
TWO = Skeleton("two", ("left_hand", "right_hand"), (), sigmas=(0.05, 0.1))


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@pytest.mark.parametrize("similarity", [0.49, 0.52, 0.57, 0.76, 0.94, 0.96])
def test_one_person_by_hand(
    make_table: Make, predict: Predict, engine: str, similarity: float
) -> None:
    """One labelled joint d away has OKS exp(-d² / (2 area (2 sigma)²)); AP counts thresholds."""
    table = make_table([[[50, 60, 2], [0, 0, 0]]], TWO, areas=[4000.0])
    distance = np.sqrt(-np.log(similarity) * 2 * 4000 * 0.1**2)
    found = predict(table, [[[distance, 0], [9000, 9000]]])
    values = OksEvaluator(engine)(found, table).values
    passed = sum(similarity >= t for t in np.linspace(0.5, 0.95, 10)) / 10
    assert values["AP"] == pytest.approx(passed, abs=1e-9)
    assert values["AR"] == pytest.approx(passed, abs=1e-9)
    assert values["AP75"] == pytest.approx(float(similarity >= 0.75), abs=1e-9)
    assert values["APM"] == values["AP"]
    assert np.isnan(values["APL"])
    assert np.isnan(values["ARL"])


def test_a_false_positive_ranked_first_halves_precision(make_table: Make) -> None:
    table = make_table([[[50, 60, 2], [70, 60, 2]]], TWO)
    both = np.concatenate([table.keypoints + 900, table.keypoints])
    found = Predictions(
        np.zeros(2, int), np.full(2, -1), both, np.ones((2, 2)), np.array([0.9, 0.8])
    )
    values = OksEvaluator()(found, table).values
    assert values["AP"] == pytest.approx(0.5)
    assert values["AR"] == 1.0


def test_only_the_best_twenty_poses_of_an_image_count(make_table: Make) -> None:
    table = make_table([[[50, 60, 2], [70, 60, 2]]], TWO)
    poses = np.repeat(table.keypoints + 900, 21, axis=0)
    poses[-1] = table.keypoints[0]
    found = Predictions(
        np.zeros(21, int), np.full(21, -1), poses, np.ones((21, 2)), np.linspace(0.9, 0.1, 21)
    )
    assert OksEvaluator()(found, table).values["AR"] == 0.0
    assert OksEvaluator(max_detections=21)(found, table).values["AR"] == 1.0


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
def test_no_predictions_score_zero(make_table: Make, engine: str) -> None:
    table = make_table([[[50, 60, 2], [70, 60, 2]]], TWO)
    nothing = Predictions(
        np.empty(0, int), np.empty(0, int), np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0)
    )
    values = OksEvaluator(engine)(nothing, table).values
    assert values["AP"] == 0.0
    assert values["AR"] == 0.0


def test_a_subset_scores_as_if_there_were_no_other_images(
    make_table: Make, predict: Predict
) -> None:
    instances = np.full((4, 2, 3), 2.0)
    instances[..., :2] = np.random.default_rng(0).uniform(0, 300, (4, 2, 2))
    table = make_table(instances, TWO)
    found = predict(table, [[[0.0]], [[0.0]], [[900.0]], [[900.0]]])
    assert OksEvaluator()(found, table).values["AR"] == 0.5
    right = OksEvaluator()(found, table, image_ids=[0, 1])
    assert right.values["AR"] == 1.0
    assert (right.comparability["images"], right.comparability["instances"]) == (2, 2)
    with pytest.raises(InputError, match="expected image ids"):
        OksEvaluator()(found, table, image_ids=[77])


def test_the_comparability_record_says_where_sigmas_come_from(
    make_table: Make, predict: Predict
) -> None:
    guessed = make_table(np.full((1, 14, 3), 2.0), LSP14)
    comparability = OksEvaluator()(predict(guessed), guessed).comparability
    assert (comparability["sigmas_from"], comparability["sigmas"]) == ("guess", [0.05] * 14)
    own = OksEvaluator(sigmas=[0.1] * 14)(predict(guessed), guessed).comparability
    assert (own["sigmas_from"], own["sigmas"]) == ("user", [0.1] * 14)
    assert own["keypoints"] == 14


def test_wrong_settings_raise(make_table: Make, predict: Predict) -> None:
    with pytest.raises(InputError, match="hotcoco or pycocotools, got 'fast'"):
        OksEvaluator("fast")
    table = make_table([[[50, 60, 2], [70, 60, 2]]], TWO)
    with pytest.raises(InputError, match="expected 2 sigmas"):
        OksEvaluator(sigmas=[0.1])(predict(table), table)
