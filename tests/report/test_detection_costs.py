"""Where points go with boxes that leave people out, show them badly, or show all: by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_errors import coarse, poses
from test_page import Tags, plots

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison, Run, compare
from poselab.evaluation.diagnosis.detection_costs import (
    BOXED,
    EARLY,
    BoxCost,
    Boxes,
    apart,
    box_costs,
)
from poselab.evaluation.diagnosis.diagnosis import costs, diagnose
from poselab.evaluation.diagnosis.undetected import Commitment
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.report.decomposition import boxes_section, decomposition_rows, ends
from poselab.report.page import write_page

LOST = np.array([0, 3, 8, 20, 40, 41])
"""Rows of people whom the blind detector does not show."""
EVALUATOR = OksEvaluator()


def source(
    labels: Annotations, name: str, found: Predictions, missed: np.ndarray, given: Predictions
) -> Boxes:
    instances = np.arange(labels.instances)
    box = np.where(np.isin(instances, missed), -1, instances)
    shown = Commitment(instances, box, np.where(box < 0, 0.0, 0.9))
    return Boxes(name, 0.5, 60, shown, Run(Path(f"{name}.json"), found, {}), given)


@pytest.fixture(scope="module")
def measured(labels: Annotations) -> tuple[Comparison, list[BoxCost]]:
    """Poses on true boxes and, of a blind detector, without those of some, are without error;
    those of a coarse one err as known, nobody being left out by its boxes."""
    right, nobody = poses(labels, labels.keypoints), np.zeros(0, np.int64)
    some = right.take(np.delete(np.arange(labels.instances), LOST))
    sources = [
        source(labels, "ground_truth", right, nobody, right),
        source(labels, "blind", some, LOST, right),
        source(labels, "coarse", coarse(labels), nobody, coarse(labels)),
    ]
    return box_costs(sources, labels, EVALUATOR, replicates=60)


def test_points_go_where_they_were_lost(
    labels: Annotations, measured: tuple[Comparison, list[BoxCost]]
) -> None:
    comparison, (ground_truth, blind, poor) = measured
    assert comparison.methods[0].name == "ground_truth"
    assert ground_truth.ap == (1.0, 1.0, 1.0)
    assert ground_truth.early == ground_truth.boxes == ground_truth.poses == (0.0, 0.0, 0.0)
    assert np.isnan(ground_truth.p)
    # 54 of 60 people are found with full precision: 91 of COCO's 101 recalls are reached.
    assert blind.ap.value == pytest.approx(91 / 101)
    assert blind.early.value == pytest.approx(10 / 101)
    assert blind.boxes == (0.0, 0.0, 0.0)
    assert poor.early.value == 0.0
    assert poor.boxes.value == pytest.approx(1 - poor.ap.value)
    assert 0 < poor.boxes.value < 0.2
    for cost in (ground_truth, blind, poor):
        parts = (cost.ap, cost.early, cost.boxes, cost.poses)
        assert sum(part.value for part in parts) == pytest.approx(1.0)
        assert ends(cost)[-1] == pytest.approx(100.0)


def test_limits_are_those_of_the_comparison(
    labels: Annotations, measured: tuple[Comparison, list[BoxCost]]
) -> None:
    """Every source is drawn with the others: a part's limits are those of the paired difference."""
    comparison, (_, blind, poor) = measured
    for cost in (blind, poor):
        pair = comparison.pair("ground_truth", cost.source.name)
        place = comparison.keys.index("AP")
        apart = (pair.difference.value[place], pair.difference.high[place])
        assert (-cost.from_truth.value, -cost.from_truth.low) == pytest.approx(apart)
        assert cost.p == pair.p_corrected
    lost = (blind.early.low, blind.early.high)
    assert lost == pytest.approx((-blind.from_truth.high, -blind.from_truth.low))
    alone = {"blind": [blind.source.run]}
    again = compare(alone, labels, EVALUATOR, replicates=60).methods[0].replicates.interval()
    assert (blind.ap.low, blind.ap.high) == pytest.approx([limits[0] for limits in again])


def test_people_without_a_box_are_an_error_of_their_own(
    labels: Annotations, measured: tuple[Comparison, list[BoxCost]]
) -> None:
    _, (_, blind, poor) = measured
    for cost, early, boxed in ((blind, len(LOST), 0), (poor, 0, 1)):
        found = cost.source.run.predictions
        diagnosis = diagnose(found, labels)
        own = costs(found, labels, diagnosis, EVALUATOR)
        told = apart(own, cost, diagnosis, labels, EVALUATOR)
        by_kind = {each.kind: each for each in told}
        assert next(iter(by_kind)) == EARLY
        assert "false negative" not in by_kind
        assert (by_kind[EARLY].count, by_kind[BOXED].count) == (early, boxed)
        assert by_kind[EARLY].gain == cost.early.value
        assert (by_kind[BOXED].gain > 0) == (boxed > 0)
        assert by_kind["miss"] in own
        # A false negative splits; what it costs altogether is what it cost before.
        (before,) = (each for each in own if each.kind == "false negative")
        assert by_kind[EARLY].gain + by_kind[BOXED].gain == pytest.approx(before.gain, abs=1e-9)


def test_parts_below_zero_are_not_drawn(measured: tuple[Comparison, list[BoxCost]]) -> None:
    """Scores of boxes may rank poses better than true boxes, which all score the same."""
    from dataclasses import replace

    _, (_, blind, _) = measured
    part = type(blind.ap)
    parts = {"ap": 0.6, "early": 0.1, "boxes": -0.05, "poses": 0.35}
    cost = replace(blind, **{name: part(v, v, v) for name, v in parts.items()})
    assert ends(cost) == pytest.approx([60, 70, 70, 100])
    assert decomposition_rows([cost])[0]["poor boxes"] == "-5.0 [-5.0, -5.0]"


def test_the_page_has_a_section_of_boxes(
    labels: Annotations, measured: tuple[Comparison, list[BoxCost]], tmp_path: Path
) -> None:
    comparison, found = measured
    more = boxes_section(found, labels, EVALUATOR)
    text = write_page(comparison, tmp_path / "index.html", more=more).read_text()
    assert {"points", "coverage", "costs"} <= plots(text)
    ids = Tags(text).ids()
    assert len(ids) == len(set(ids))
    assert "#0000" not in text
    section = text[text.index('id="boxes"') : text.index('id="joints"')]
    assert "9.9 [" in section  # what the blind detector lost
    assert "6 (10.0 %)" in section
    assert f">{EARLY}<" in section
    labelled = [
        a["aria-label"] for tag, a in Tags(section).seen if tag == "a" and "aria-label" in a
    ]
    assert "blind: missed people 9.9" in labelled
