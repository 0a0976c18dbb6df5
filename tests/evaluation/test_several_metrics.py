"""Several metrics in one record, made from code and from conf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate

from poselab.annotations import Annotations
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.metrics.several import SeveralMetrics
from poselab.evaluation.predictions import Predictions
from poselab.experiments.config.compose import compose
from poselab.structures import InputError

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]


@pytest.fixture
def table(make_table: Make) -> Annotations:
    points = np.full((6, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (6, 17, 2))
    images, heads = [0, 0, 1, 1, 2, 2], [[0.0, 0.0, 30.0, 40.0]] * 6
    return make_table(points, images=images, head_boxes=heads)


def test_values_and_records_of_both_metrics_are_joined(
    table: Annotations, predict: Predict
) -> None:
    found = predict(table, np.random.default_rng(1).normal(0, 10, (6, 17, 2)))
    oks, pckh = OksEvaluator(), PckhEvaluator()
    combined = SeveralMetrics([oks, pckh])
    assert combined.primary_metric == "AP"
    content: dict[str, Any] = combined(found, table).to_json()
    of_oks, of_pckh = oks(found, table).to_json(), pckh(found, table).to_json()
    comparability = of_oks.pop("comparability") | {"pckh": of_pckh.pop("comparability")}
    assert content == of_oks | of_pckh | {"comparability": comparability}
    assert 0 < content["AP"] < content["PCKh@0.5"] < 1


def test_only_the_chosen_images_are_scored(table: Annotations, predict: Predict) -> None:
    comparability = SeveralMetrics([OksEvaluator(), PckEvaluator()])(
        predict(table), table, [0, 2]
    ).comparability
    assert comparability["images"] == comparability["pck"]["images"] == 2


def test_no_evaluator_or_repeated_metrics_raise(table: Annotations, predict: Predict) -> None:
    with pytest.raises(InputError, match="one evaluator or more"):
        SeveralMetrics([])
    for again in (OksEvaluator(), OksEvaluator(max_detections=5)):
        with pytest.raises(InputError, match="got AP 2 times"):
            SeveralMetrics([OksEvaluator(), again])(predict(table), table)
    parts = [PckhEvaluator(thresholds=(threshold,)) for threshold in (0.5, 0.1)]
    with pytest.raises(InputError, match="got PCKh-AUC 2 times"):
        SeveralMetrics(parts)(predict(table), table)


def test_conf_builds_it(table: Annotations, predict: Predict) -> None:
    config, _ = compose("train", ["evaluator=oks_pckh"])
    made = instantiate(config.evaluator)
    assert made == SeveralMetrics([OksEvaluator(), PckhEvaluator(match="best_oks")])
    values = made(predict(table), table).values
    assert (values["AP"], values["PCKh@0.5"]) == (1, 1)
