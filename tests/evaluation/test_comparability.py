"""Differences between comparability records, with reasons in words."""

from __future__ import annotations

import copy
import importlib
import itertools
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparability_records import (
    CASES,
    COMPLETE,
    DETECTED,
    FIELDS_OF_OTHER_METRICS,
    OKS,
    PCKH,
    RUN,
    changed,
)

import poselab.evaluation
from poselab.annotations import Annotations
from poselab.evaluation.comparability import (
    differences_from,
    metric_records,
    read_comparability,
    record_warnings,
    write_comparability,
)
from poselab.evaluation.comparability.fields import METRIC_FIELDS, RUN_FIELDS
from poselab.evaluation.metrics.body_parts import PartsEvaluator, WholeBodyEvaluator
from poselab.evaluation.metrics.crowding import CrowdPoseEvaluator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.metrics.several import SeveralMetrics
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.record import annotation_comparability
from poselab.skeletons import COCO17, WHOLEBODY133
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]


@pytest.mark.parametrize(("severity", "field", "reason", "comparability"), CASES)
def test_each_difference_is_reported_alone_in_words(
    severity: str, field: str, reason: str, comparability: dict[str, Any]
) -> None:
    assert differences_from(COMPLETE, comparability) == [(field, severity, reason)]


def test_every_field_has_a_case() -> None:
    reported = {field.partition(".")[::2] for _, field, _, _ in CASES}
    assert {name for part, name in reported if part == "run"} - {""} == set(RUN_FIELDS)
    of_oks = {name for part, name in reported if part == "oks"}
    neutral = {name for name, field in METRIC_FIELDS.items() if field.severity == "neutral"}
    assert of_oks | neutral | FIELDS_OF_OTHER_METRICS == set(METRIC_FIELDS)


def test_pckh_at_a_tenth_is_not_pckh_at_eleven_hundredths() -> None:
    """The HRNet code prints entry 11 of its thresholds as @0.1."""
    legacy = PCKH | {"thresholds": {"PCKh@0.1": 0.11}, "run": RUN}
    spelt_out = PCKH | {"thresholds": {"PCKh@0.1": 0.1}, "run": RUN}
    for other in (PCKH | {"run": RUN}, spelt_out):
        (difference,) = differences_from(other, legacy)
        assert difference == (
            "pckh.thresholds",
            "incomparable",
            "PCKh@0.1: threshold 0.11 vs. 0.10",
        )
    assert differences_from(PCKH | {"run": RUN}, spelt_out) == []


def test_other_metrics_and_their_rules() -> None:
    pckh = OKS | PCKH | {"run": RUN}
    assert ("metric", "incomparable", "metric: pckh vs. oks") in differences_from(COMPLETE, pckh)
    for key, value in {"rule": "d <= 0.2", "auc": "mean", "match": "best_oks"}.items():
        (difference,) = differences_from(pckh | {key: "x"}, pckh | {key: value})
        assert (difference.field, difference.severity) == (f"pckh.{key}", "incomparable")
        assert f"{value}" in difference.reason
    (difference,) = differences_from(
        pckh | {"unscored": []}, pckh | {"unscored": ["pelvis", "neck"]}
    )
    assert difference.reason == "joints left out: pelvis, neck vs. none"


def test_neutral_fields_make_no_difference() -> None:
    same = changed(engine="pycocotools", annotations="copy.json", instances_without_prediction=3)
    assert differences_from(COMPLETE, same) == []
    neutral = changed(
        overlap={"images": 0, "decided_by": "content"}, boxes={"kind": "labelled", "note": 1}
    )
    assert differences_from(COMPLETE, neutral) == []


def test_boxes_of_one_name_and_other_content_or_threshold() -> None:
    first = changed(boxes=DETECTED)
    (difference,) = differences_from(first, changed(boxes=DETECTED | {"fingerprint": "d1"}))
    assert difference.reason == (
        "boxes: two files of different content called COCO_val2017_detections (56.4 AP)"
    )
    (difference,) = differences_from(first, changed(boxes=DETECTED | {"threshold": 0.5}))
    assert "(56.4 AP) from score 0.5 vs. COCO" in difference.reason
    (difference,) = differences_from(first, changed(boxes={"kind": "none"}, padding=None))
    assert difference.reason.startswith("boxes: none (whole images) vs. COCO")


def test_order_does_not_matter() -> None:
    comparability_records = [COMPLETE, *(case[3] for case in CASES)]
    for a, b in itertools.combinations(comparability_records, 2):
        there, back = differences_from(a, b), differences_from(b, a)
        assert {d[:2] for d in there} == {d[:2] for d in back}
        assert [d.severity for d in there] == [d.severity for d in back]


def test_a_complete_record_equals_its_stored_copy() -> None:
    for comparability in (COMPLETE, *(case[3] for case in CASES)):
        again = json.loads(json.dumps(comparability))
        expected = [] if "run" in comparability else ["unknown"]
        assert [d.severity for d in differences_from(again, comparability)] == expected


def test_the_most_severe_comes_first() -> None:
    differences = differences_from(COMPLETE, OKS | {"area": "0.53 box", "detection_area": "boxes"})
    assert [d.severity for d in differences] == ["incomparable", "unequal", "unknown"]


def test_an_unlisted_field_is_reported() -> None:
    (difference,) = differences_from(COMPLETE | {"new_rule": "b"}, COMPLETE | {"new_rule": "a"})
    assert difference == ("oks.new_rule", "unequal", "new rule: a vs. b")
    (difference,) = differences_from(COMPLETE, COMPLETE | {"new_rule": "a"})
    assert difference == ("oks.new_rule", "unknown", "unknown: only one record has new rule")


def test_warnings_need_no_second_record() -> None:
    assert record_warnings(COMPLETE) == []
    assert record_warnings(changed(overlap={"images": 3})) == [
        "training images include 3 of the evaluation images"
    ]
    assert "does not record its boxes" in record_warnings(OKS)[0]


def instances(make_table: Make, skeleton: Skeleton = COCO17) -> Annotations:
    points = np.full((6, len(skeleton), 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (6, len(skeleton), 2))
    heads = [[0.0, 0.0, 30.0, 40.0]] * 6
    return make_table(points, skeleton, images=[0, 0, 1, 1, 2, 2], head_boxes=heads)


@pytest.fixture
def table(make_table: Make) -> Annotations:
    return instances(make_table)


EVALUATORS = [
    OksEvaluator(),
    OksEvaluator(engine="pycocotools", sigmas=[0.1] * 17),
    PckhEvaluator(),
    PckhEvaluator(match="best_oks"),
    PckEvaluator(),
    PckEvaluator(reference="box", match="best_oks"),
    CrowdPoseEvaluator(),
    PartsEvaluator(),
    WholeBodyEvaluator(),
    SeveralMetrics([OksEvaluator(), PckhEvaluator(), PckEvaluator()]),
]


def test_every_evaluator_has_a_case() -> None:
    """A new evaluator must be added to the list above, so that its fields are checked."""
    evaluators = set()
    for module in pkgutil.walk_packages(poselab.evaluation.__path__, "poselab.evaluation."):
        content = vars(importlib.import_module(module.name)).values()
        evaluators |= {
            kind for kind in content if isinstance(kind, type) and hasattr(kind, "primary_metric")
        }
    made = {kind for kind in evaluators if not getattr(kind, "_is_protocol", False)}
    assert made == {type(evaluator) for evaluator in EVALUATORS}


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: type(e).__name__)
def test_every_field_that_evaluators_write_is_known(
    evaluator: Any, make_table: Make, predict: Predict
) -> None:
    whole = isinstance(evaluator, (PartsEvaluator, WholeBodyEvaluator))
    table = instances(make_table, WHOLEBODY133 if whole else COCO17)
    comparability = evaluator(predict(table), table).comparability
    for part in metric_records(comparability).values():
        assert part.keys() <= METRIC_FIELDS.keys()
        for key in part.keys() - {"metric"}:
            other = copy.deepcopy(comparability) | {"run": RUN}
            holder = other if other["metric"] == part["metric"] else other[part["metric"]]
            holder[key] = [*part[key], 1] if isinstance(part[key], list) else f"not {part[key]}"
            differences = differences_from(other, comparability | {"run": RUN})
            neutral = METRIC_FIELDS[key].severity == "neutral"
            assert bool(differences) != neutral, key
    assert differences_from(comparability | {"run": RUN}, comparability | {"run": RUN}) == []


def test_a_metric_that_only_one_record_has_is_no_difference(
    table: Annotations, predict: Predict
) -> None:
    both = SeveralMetrics([OksEvaluator(), PckhEvaluator()])(predict(table), table).comparability
    reverse = SeveralMetrics([PckhEvaluator(), OksEvaluator()])(predict(table), table).comparability
    alone = PckhEvaluator()(predict(table), table).comparability
    for first, second in itertools.permutations([both, reverse, alone], 2):
        assert differences_from(second | {"run": RUN}, first | {"run": RUN}) == []


def test_equally_many_different_images_are_reported(table: Annotations, predict: Predict) -> None:
    for evaluator in (OksEvaluator(), PckhEvaluator(), PckEvaluator()):
        first, second = (
            evaluator(predict(table), table, chosen).comparability | {"run": RUN}
            for chosen in ([0, 1], [0, 2])
        )
        (difference,) = differences_from(second, first)
        assert difference.reason == "the same number of images (2), but other images"


def test_the_digest_identifies_the_images(table: Annotations) -> None:
    def digest(*asked: Any) -> Any:
        return annotation_comparability(table, 2, 4, *asked)["image_set"]

    assert digest([0, 1]) == digest(np.array([1, 0])) != digest([0, 2])
    assert digest() == digest([2, 1, 0])


def test_a_run_records_conditions_beside_its_predictions(tmp_path: Path) -> None:
    file = tmp_path / "run" / "predictions" / "val.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    assert read_comparability(file) == {}
    manifest = tmp_path / "run" / "run.json"
    manifest.write_text(json.dumps({"seed": 0}))  # without a comparability record
    assert read_comparability(file) == {}
    manifest.write_text(json.dumps({"comparability": RUN}))
    assert read_comparability(file) == read_comparability(tmp_path / "run") == {"run": RUN}
    elsewhere = tmp_path / "run" / "other" / "results.json"
    elsewhere.parent.mkdir()
    elsewhere.write_text("[]")
    assert read_comparability(elsewhere) == {}
    assert read_comparability(tmp_path / "missing.json") == {}
    manifest.write_text("{")
    with pytest.raises(InputError, match="expected JSON in"):
        read_comparability(file)


def test_a_predictions_file_may_have_its_own_record(tmp_path: Path) -> None:
    file = tmp_path / "predictions" / "poses.json"
    write_comparability(file, {"flip_test": False})
    assert read_comparability(file) == {}  # the predictions file is missing
    file.write_text("[]")
    (tmp_path / "run.json").write_text(json.dumps({"comparability": RUN}))
    assert read_comparability(file) == {"run": {"flip_test": False}}
    other = file.with_name("other.json")
    other.write_text("[]")
    assert read_comparability(other) == {"run": RUN}
