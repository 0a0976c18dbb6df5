"""A run keeps its comparability record where other commands read it."""

from __future__ import annotations

import json
from pathlib import Path

from flow import Train

from poselab.evaluation.comparability import differences_from, read_comparability, record_warnings
from poselab.evaluation.comparability.fields import RUN_FIELDS


def test_metrics_and_predictions_agree_about_the_run(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    beside = read_comparability(run / "predictions" / "val.json")
    assert beside["run"] == metrics["comparability"]["run"]
    assert beside["run"].keys() == RUN_FIELDS.keys()
    assert beside == read_comparability(run)
    assert record_warnings(metrics["comparability"]) == []


def test_two_runs_differ_in_what_was_changed(train: Train) -> None:
    first, second = (
        json.loads((train(*words, name=name) / "metrics.json").read_text())["comparability"]
        for name, words in {"one": [], "two": ["flip_test=false"]}.items()
    )
    assert [d.reason for d in differences_from(second, first)] == ["flip test: on vs. off"]
