"""Metrics of single joints, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.metrics.joints import joint_average_precision, joint_similarities
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
NOSE, WRIST, ANKLE = (COCO17.index(name) for name in ("nose", "left_wrist", "left_ankle"))


def instances(make_table: Make) -> Annotations:
    """Two people of 10,000 pixels²; neither has a left ankle, only the first has a left wrist."""
    points = np.full((2, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(0, 100, (2, 17, 2))
    points[:, ANKLE, 2] = points[1, WRIST, 2] = 0
    return make_table(points)


def off(
    predict: Predict, table: Annotations, person: int, joint: int, similarity: float
) -> Predictions:
    """Right poses but for one joint, moved to where its similarity is as asked."""
    spread = 2 * (2 * COCO17.oks_sigmas[joint]) ** 2 * 10_000
    offset = np.zeros((2, 17, 2))
    offset[person, joint, 0] = np.sqrt(-np.log(similarity) * spread)
    return predict(table, offset)


def test_similarity_and_thresholds_by_hand(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    figures = joint_similarities(off(predict, table, 0, NOSE, 0.8), table)
    assert figures.joints == COCO17.keypoints
    assert figures.labelled[[NOSE, WRIST, ANKLE]].tolist() == [2, 1, 0]
    assert figures.similarity[NOSE] == pytest.approx(0.9)
    assert figures.thresholds == (0.5, 0.75, 0.9)
    assert figures.reached[NOSE].tolist() == [1, 1, 0.5]
    assert figures.similarity[WRIST] == 1
    assert np.isnan(figures.similarity[ANKLE])
    assert np.isnan(figures.reached[ANKLE]).all()


def test_people_without_a_pose_count_as_wrong(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    figures = joint_similarities(predict(table).take(np.array([1])), table)
    assert figures.similarity[[NOSE, WRIST]].tolist() == [0.5, 0]


def test_only_the_chosen_images_count(make_table: Make, predict: Predict) -> None:
    table = instances(make_table)
    found = off(predict, table, 0, NOSE, 0.8)
    assert joint_similarities(found, table, image_ids=[1]).similarity[NOSE] == 1
    assert joint_similarities(found, table, image_ids=[0]).similarity[NOSE] == pytest.approx(0.8)


def test_ap_of_a_joint_by_hand(make_table: Make, predict: Predict) -> None:
    """The better ranked nose is 0.62 similar, so right at .5, .55 and .6 of ten thresholds; at the
    others the second pose, half of two people at precision 1/2, leaves 51 of 101 recalls at 1/2."""
    table = instances(make_table)
    found = replace(off(predict, table, 0, NOSE, 0.62), scores=np.array([0.9, 0.8]))
    ap = joint_average_precision(OksEvaluator(), found, table)
    assert ap[NOSE] == pytest.approx((3 * 1 + 7 * 0.5 * 51 / 101) / 10)
    assert ap[WRIST] == pytest.approx(1)
    assert np.isnan(ap[ANKLE])
