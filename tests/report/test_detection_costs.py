"""What boxes cost that miss people, are poor, or are perfect: by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_errors import coarse, poses
from test_page import Tags, plots

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.diagnosis import diagnose, error_costs
from poselab.evaluation.diagnosis.detection_costs import (
    DETECTED_FALSE_NEGATIVE,
    UNDETECTED,
    BoxSource,
    DetectionCost,
    detection_costs,
    split_false_negatives,
)
from poselab.evaluation.diagnosis.undetected import BoxMatches
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.report.detection_costs import (
    bar_ends,
    detection_cost_rows,
    detection_costs_section,
)
from poselab.report.page import write_page

LOST = np.array([0, 3, 8, 20, 40, 41])
"""Rows of people whom the blind detector misses."""
EVALUATOR = OksEvaluator()


def source(
    annotations: Annotations,
    name: str,
    predictions: Predictions,
    missed: np.ndarray,
    completed: Predictions,
) -> BoxSource:
    instances = np.arange(annotations.num_instances)
    box = np.where(np.isin(instances, missed), -1, instances)
    matches = BoxMatches(instances, box, np.where(box < 0, 0.0, 0.9))
    run = PredictionsFile(Path(f"{name}.json"), predictions, {})
    return BoxSource(name, 0.5, 60, matches, run, completed)


@pytest.fixture(scope="module")
def measured(annotations: Annotations) -> tuple[Comparison, list[DetectionCost]]:
    """Poses on ground-truth boxes are exact, and so are those of a blind detector, which misses
    some people; a coarse detector misses nobody, but its poses have the known errors."""
    exact, nobody = poses(annotations, annotations.keypoints), np.zeros(0, np.int64)
    some = exact.take(np.delete(np.arange(annotations.num_instances), LOST))
    sources = [
        source(annotations, "ground_truth", exact, nobody, exact),
        source(annotations, "blind", some, LOST, exact),
        source(annotations, "coarse", coarse(annotations), nobody, coarse(annotations)),
    ]
    return detection_costs(sources, annotations, EVALUATOR, replicates=60)


def test_parts_are_what_was_lost(
    annotations: Annotations, measured: tuple[Comparison, list[DetectionCost]]
) -> None:
    comparison, (ground_truth, blind, poor) = measured
    assert comparison.methods[0].name == "ground_truth"
    assert ground_truth.ap == (1.0, 1.0, 1.0)
    assert (
        ground_truth.undetected
        == ground_truth.poor_boxes
        == ground_truth.pose_errors
        == (0.0, 0.0, 0.0)
    )
    assert np.isnan(ground_truth.p)
    # 54 of 60 people are detected with full precision: 91 of COCO's 101 recalls are reached.
    assert blind.ap.value == pytest.approx(91 / 101)
    assert blind.undetected.value == pytest.approx(10 / 101)
    assert blind.poor_boxes == (0.0, 0.0, 0.0)
    assert poor.undetected.value == 0.0
    assert poor.poor_boxes.value == pytest.approx(1 - poor.ap.value)
    assert 0 < poor.poor_boxes.value < 0.2
    for cost in (ground_truth, blind, poor):
        parts = (cost.ap, cost.undetected, cost.poor_boxes, cost.pose_errors)
        assert sum(part.value for part in parts) == pytest.approx(1.0)
        assert bar_ends(cost)[-1] == pytest.approx(100.0)


def test_intervals_are_those_of_the_comparison(
    annotations: Annotations, measured: tuple[Comparison, list[DetectionCost]]
) -> None:
    """All sources share their bootstrap samples: intervals are those of paired differences."""
    comparison, (_, blind, poor) = measured
    for cost in (blind, poor):
        pair = comparison.pair("ground_truth", cost.source.name)
        place = comparison.keys.index("AP")
        apart = (pair.difference.value[place], pair.difference.high[place])
        assert (-cost.difference.value, -cost.difference.low) == pytest.approx(apart)
        assert cost.p == pair.p_corrected
    lost = (blind.undetected.low, blind.undetected.high)
    assert lost == pytest.approx((-blind.difference.high, -blind.difference.low))
    alone = {"blind": [blind.source.run]}
    again = compare_methods(alone, annotations, EVALUATOR, replicates=60).methods[0].replicates
    assert (blind.ap.low, blind.ap.high) == pytest.approx([ends[0] for ends in again.interval()])


def test_undetected_instances_are_an_error_of_their_own(
    annotations: Annotations, measured: tuple[Comparison, list[DetectionCost]]
) -> None:
    _, (_, blind, poor) = measured
    for cost, undetected, detected in ((blind, len(LOST), 0), (poor, 0, 1)):
        predictions = cost.source.run.predictions
        diagnosis = diagnose(predictions, annotations)
        costs = error_costs(predictions, annotations, diagnosis, EVALUATOR)
        split = split_false_negatives(costs, cost, diagnosis, annotations, EVALUATOR)
        first, others = split[0], {each.error: each for each in split[1:]}
        assert (first.error, first.count) == (UNDETECTED, undetected)
        assert first.gain == cost.undetected.value
        assert "false negative" not in others
        despite_box = others[DETECTED_FALSE_NEGATIVE]
        assert despite_box.count == detected
        assert (despite_box.gain > 0) == (detected > 0)
        assert others["miss"] in costs
        # The two parts together cost what false negatives cost.
        (before,) = (each for each in costs if each.error == "false negative")
        assert first.gain + despite_box.gain == pytest.approx(before.gain, abs=1e-9)


def test_parts_below_zero_are_not_drawn(measured: tuple[Comparison, list[DetectionCost]]) -> None:
    """Scores of boxes may rank poses better than ground-truth boxes, which all score the same."""
    from dataclasses import replace

    _, (_, blind, _) = measured
    part = type(blind.ap)
    parts = {"ap": 0.6, "undetected": 0.1, "poor_boxes": -0.05, "pose_errors": 0.35}
    cost = replace(blind, **{name: part(v, v, v) for name, v in parts.items()})
    assert bar_ends(cost) == pytest.approx([60, 70, 70, 100])
    assert detection_cost_rows([cost])[0]["poor boxes"] == "-5.0 [-5.0, -5.0]"


def test_the_page_has_a_section_of_boxes(
    annotations: Annotations, measured: tuple[Comparison, list[DetectionCost]], tmp_path: Path
) -> None:
    comparison, costs = measured
    sections = detection_costs_section(costs, annotations, EVALUATOR)
    text = write_page(comparison, tmp_path / "index.html", sections=sections).read_text()
    assert {"points", "coverage", "costs"} <= plots(text)
    ids = Tags(text).ids()
    assert len(ids) == len(set(ids))
    assert "#0000" not in text
    section = text[text.index('id="boxes"') : text.index('id="joints"')]
    assert "9.9 [" in section  # what the blind detector loses
    assert "6 (10.0 %)" in section
    assert f">{UNDETECTED}<" in section
    labelled = [
        a["aria-label"] for tag, a in Tags(section).seen if tag == "a" and "aria-label" in a
    ]
    assert "blind: undetected 9.9" in labelled
