"""The area under the PCKh curve, by hand and by trapezoids of PCKh at each threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.metrics.several import SeveralMetrics
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import MPII16

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
HEAD = [0.0, 0.0, 60.0, 80.0]  # diagonal 100, head size 60


def instances(make_table: Make, count: int) -> Annotations:
    points = np.full((count, 16, 3), 2.0)
    points[..., :2] = 0
    return make_table(points, MPII16, head_boxes=[HEAD] * count)


@pytest.mark.parametrize(
    ("distance", "area"),
    [(0.0, 1.0), (15.1, 24.5 / 50), (14.9, 25.5 / 50), (30.0, 0.5 / 50), (30.1, 0.0)],
)
def test_area_of_one_distance_by_hand(
    make_table: Make, predict: Predict, distance: float, area: float
) -> None:
    """15.1 px of a head of 60 are right from 0.26 on: 24 whole steps, and half of that to 0.26."""
    table = instances(make_table, 2)
    values = PckhEvaluator()(predict(table, [distance, 0.0]), table).values
    assert values["PCKh-AUC"] == pytest.approx(area, abs=1e-12)
    assert values["PCKh-AUC/wrist"] == pytest.approx(area, abs=1e-12)


def test_auc_is_the_trapezoids_of_pckh_at_every_threshold(
    make_table: Make, predict: Predict
) -> None:
    table = instances(make_table, 30)
    offsets = np.random.default_rng(0).normal(0, 15, (30, 16, 2))
    thresholds = np.linspace(0, 0.5, 51)
    values = PckhEvaluator(thresholds=[*thresholds])(predict(table, offsets), table).values
    curve = [values[f"PCKh@{t:g}"] for t in thresholds]
    assert values["PCKh-AUC"] == pytest.approx(np.trapezoid(curve, thresholds) / 0.5)
    assert 0.2 < values["PCKh-AUC"] < 0.8


def test_unmatched_people_lower_auc(make_table: Make, predict: Predict) -> None:
    table = instances(make_table, 4)
    values = PckhEvaluator()(predict(table).take(np.array([0])), table).values
    assert values["PCKh-AUC"] == pytest.approx(0.25)


def test_auc_of_pckh_and_pck_have_different_names(make_table: Make, predict: Predict) -> None:
    table = instances(make_table, 2)
    both = SeveralMetrics([PckhEvaluator(), PckEvaluator(reference="box")])
    assert {"AUC", "PCKh-AUC"} <= set(both(predict(table), table).values)
