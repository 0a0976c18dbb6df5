"""Rules of PCK that differ between data sets, by hand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.skeletons import LSP14, MPII16, PARSE14

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Skeleton

    Make = Callable[..., Annotations]
    Predict = Callable[..., Predictions]


def person(make_table: Make, skeleton: Skeleton, instances: int = 1) -> Annotations:
    """Left shoulder to right hip 100 px, right shoulder to left hip 50 px."""
    points = np.full((instances, len(skeleton), 3), 2.0)
    places = {"left_shoulder": (0, 0), "right_hip": (60, 80)}
    places |= {"right_shoulder": (200, 0), "left_hip": (230, 40)}
    for name, place in places.items():
        points[:, skeleton.index(name), :2] = place
    return make_table(points, skeleton)


@pytest.mark.parametrize(("skeleton", "reach"), [(LSP14, 20.0), (PARSE14, 10.0)])
def test_each_dataset_has_its_torso_diagonal(
    make_table: Make, predict: Predict, skeleton: Skeleton, reach: float
) -> None:
    table = person(make_table, skeleton)
    assert PckEvaluator()(predict(table, [reach - 0.01, 0.0]), table).values["PCK@0.2"] == 1.0
    assert PckEvaluator()(predict(table, [reach + 0.01, 0.0]), table).values["PCK@0.2"] == 0.0


def test_the_head_is_both_its_joints_except_on_mpii(make_table: Make, predict: Predict) -> None:
    """The upper of the two is right, the lower wrong."""
    for skeleton, lower, expected in ((LSP14, "neck", 0.5), (MPII16, "upper_neck", 1.0)):
        table = person(make_table, skeleton)
        offset = np.zeros((1, len(skeleton), 2))
        offset[0, skeleton.index(lower)] = 500
        assert PckEvaluator()(predict(table, offset), table).values["PCK@0.2/head"] == expected


def test_only_the_held_out_are_scored_unless_asked(make_table: Make, predict: Predict) -> None:
    table = person(make_table, LSP14, instances=4)
    table = dataclasses.replace(table, held_out=np.array([False, False, True, True]))
    found = predict(table).take(np.array([2, 3]))
    metrics = PckEvaluator()(found, table)
    assert (metrics.values["PCK@0.2"], metrics.comparability["instances"]) == (1.0, 2)
    tally = PckEvaluator().accumulate(found, table)
    assert tally.image_ids.tolist() == [2, 3]
    everybody = PckEvaluator()(found, table, table.image_ids)
    assert (
        everybody.values["PCK@0.2"],
        everybody.comparability["instances_without_prediction"],
    ) == (0.5, 2)
    training = table.select([0, 1])  # no one is held out there: all are scored
    assert PckEvaluator()(predict(training), training).comparability["instances"] == 2
