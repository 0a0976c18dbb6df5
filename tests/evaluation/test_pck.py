"""PCKh and PCK against cases counted by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17, LSP14, MPII16
from poselab.structures import InputError

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
HEAD = [0.0, 0.0, 60.0, 80.0]  # diagonal 100, head size 60


def mpii(make_table: Make, instances: int = 2) -> Annotations:
    points = np.full((instances, 16, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (instances, 16, 2))
    return make_table(points, MPII16, head_boxes=[HEAD] * instances)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(0.0, (1, 1, 1)), (6.0, (1, 1, 1)), (6.3, (1, 0, 1)), (30.0, (1, 0, 0)), (30.1, (0, 0, 0))],
)
def test_thresholds_are_parts_of_the_head_size(
    make_table: Make, predict: Predict, distance: float, expected: tuple[int, int, int]
) -> None:
    """0.5, 0.1 and 0.11 of 60 pixels are 30, 6 and 6.6, and the threshold itself counts."""
    table = mpii(make_table)
    table = dataclasses.replace(table, keypoints=np.zeros_like(table.keypoints))
    values = PckhEvaluator()(predict(table, [distance, 0.0]), table).values
    assert tuple(values[f"PCKh@{t}"] for t in ("0.5", "0.1", "0.11")) == expected


def test_joints_and_groups_by_hand(make_table: Make, predict: Predict) -> None:
    """Wrong: a left wrist, an upper neck, a pelvis. Not labelled: one person's ankles."""
    table = mpii(make_table)
    visibility = table.visibility.copy()
    visibility[0, [MPII16.index("left_ankle"), MPII16.index("right_ankle")]] = 0
    table = dataclasses.replace(table, visibility=visibility)
    offset = np.zeros((2, 16, 2))
    for name in ("left_wrist", "upper_neck", "pelvis", "left_ankle"):
        offset[0, MPII16.index(name)] = 500
    values = PckhEvaluator(thresholds=(0.5,))(predict(table, offset), table).values
    assert values["PCKh@0.5"] == pytest.approx(24 / 26)
    assert values["PCKh@0.5/wrist"] == pytest.approx(0.75)
    assert values["PCKh@0.5/head"] == 1.0
    assert values["PCKh@0.5/ankle"] == 1.0
    assert values["PCKh@0.5/groups"] == pytest.approx((0.75 + 0.75 + 5) / 7)


def test_a_person_without_prediction_counts_as_wrong(make_table: Make, predict: Predict) -> None:
    table = mpii(make_table)
    metrics = PckhEvaluator()(predict(table).take(np.array([1])), table)
    assert metrics.values["PCKh@0.5"] == 0.5
    assert metrics.comparability["instances_without_prediction"] == 1


def test_a_joint_that_is_never_labelled_is_nan(make_table: Make, predict: Predict) -> None:
    table = mpii(make_table)
    visibility = table.visibility.copy()
    visibility[:, [MPII16.index("left_knee"), MPII16.index("right_knee")]] = 0
    table = dataclasses.replace(table, visibility=visibility)
    metrics = PckhEvaluator()(predict(table), table)
    assert math.isnan(metrics.values["PCKh@0.5/knee"])
    assert metrics.to_json()["PCKh@0.5/knee"] is None
    assert metrics.values["PCKh@0.5/groups"] == 1.0


def test_order_of_predictions_does_not_matter(make_table: Make, predict: Predict) -> None:
    table = mpii(make_table, instances=30)
    found = predict(table, np.random.default_rng(1).normal(0, 20, (30, 16, 2)))
    shuffled = found.take(np.random.default_rng(2).permutation(30))
    assert PckhEvaluator()(found, table).values == PckhEvaluator()(shuffled, table).values


def test_what_pck_cannot_score_raises(make_table: Make, predict: Predict) -> None:
    table = mpii(make_table)
    found = predict(table)
    with pytest.raises(InputError, match="annotation_id of a labelled person"):
        PckhEvaluator()(dataclasses.replace(found, annotation_ids=np.array([-1, -1])), table)
    with pytest.raises(InputError, match="one prediction per person, got 2"):
        PckhEvaluator()(found.take(np.array([0, 0])), table)
    with pytest.raises(InputError, match="expected head boxes"):
        PckhEvaluator()(found, dataclasses.replace(table, head_boxes=np.zeros((2, 4))))
    lacking = dataclasses.replace(table, head_boxes=np.zeros((2, 4)), layout="mpii_json")
    with pytest.raises(InputError, match="put gt_valid.mat beside valid.json"):
        PckhEvaluator()(found, lacking)
    with pytest.raises(InputError, match="integral or mean"):
        PckEvaluator(area="sum")
    with pytest.raises(InputError, match="torso or box"):
        PckEvaluator(reference="arm")


def test_torso_and_box_by_hand(make_table: Make, predict: Predict) -> None:
    """A torso of 100 px: 20 px count at 0.2; AUC of a distance of 0.1 is 10.5 of 20 or 11 of 21."""
    points = np.full((1, 14, 3), 2.0)
    points[0, LSP14.index("left_shoulder"), :2] = (100, 100)
    points[0, LSP14.index("right_hip"), :2] = (160, 180)
    table = make_table(points, LSP14, boxes=[[0.0, 0.0, 30.0, 40.0]])
    values = PckEvaluator()(predict(table, [0.0, 9.99]), table).values
    assert values["PCK@0.2"] == 1.0
    assert values["AUC"] == pytest.approx(10.5 / 20)
    mean = PckEvaluator(area="mean")(predict(table, [0.0, 9.99]), table).values
    assert mean["AUC"] == pytest.approx(11 / 21)
    assert PckEvaluator()(predict(table, [0.0, 20.01]), table).values["PCK@0.2"] == 0.0
    box = PckEvaluator(reference="box")
    assert box(predict(table, [0.0, 7.99]), table).values["PCK@0.2"] == 1.0
    assert box(predict(table, [0.0, 8.01]), table).values["PCK@0.2"] == 0.0


def test_coco_has_torso_but_no_head_boxes(make_table: Make, predict: Predict) -> None:
    points = np.full((2, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (2, 17, 2))
    table = make_table(points, COCO17)
    assert PckEvaluator()(predict(table), table).values["PCK@0.2/head"] == 1.0
