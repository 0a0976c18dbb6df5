"""Records are marked where ranking them would deceive, with the reason in words."""

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
from comparability_records import CASES, DETECTED, OF_OTHERS, OKS, PCKH, RUN, WHOLE, changed
from poselab.evaluation.comparability_fields import OF_METRIC, OF_RUN

import poselab.evaluation
from poselab.annotations import Annotations
from poselab.evaluation.comparability import (
    between,
    differences,
    doubts,
    parts,
    read_comparability,
    worst,
    write_comparability,
)
from poselab.evaluation.metrics.body_parts import PartsEvaluator
from poselab.evaluation.metrics.crowding import CrowdEvaluator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.metrics.several import SeveralMetrics
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.record import annotation_comparability
from poselab.skeletons import COCO17, WHOLEBODY133
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Answer = Callable[..., Predictions]


@pytest.mark.parametrize(("severity", "field", "reason", "comparability"), CASES)
def test_each_difference_has_its_words_and_stands_alone(
    severity: str, field: str, reason: str, comparability: dict[str, Any]
) -> None:
    assert differences([WHOLE, comparability]) == [[], [(field, severity, reason)]]
    assert differences([WHOLE, comparability], reference=1)[1] == []


def test_every_field_has_a_case() -> None:
    told = {field.partition(".")[::2] for _, field, _, _ in CASES}
    assert {name for part, name in told if part == "run"} - {""} == set(OF_RUN)
    of_oks = {name for part, name in told if part == "oks"}
    neutral = {name for name, field in OF_METRIC.items() if field.severity == "neutral"}
    assert of_oks | neutral | OF_OTHERS == set(OF_METRIC)


def test_pckh_at_a_tenth_is_not_pckh_at_eleven_hundredths() -> None:
    """The HRNet code prints entry 11 of its thresholds as @0.1."""
    legacy = PCKH | {"thresholds": {"PCKh@0.1": 0.11}, "run": RUN}
    spelt_out = PCKH | {"thresholds": {"PCKh@0.1": 0.1}, "run": RUN}
    for other in (PCKH | {"run": RUN}, spelt_out):
        (found,) = between(legacy, other)
        assert found == (
            "pckh.thresholds",
            "incomparable",
            "PCKh@0.1 counts 0.11, the other 0.10",
        )
    assert between(spelt_out, PCKH | {"run": RUN}) == []


def test_other_metrics_and_their_rules() -> None:
    pckh = OKS | PCKH | {"run": RUN}
    assert ("metric", "incomparable", "metric: pckh against oks") in between(pckh, WHOLE)
    for key, value in {"rule": "d <= 0.2", "auc": "mean", "match": "best_oks"}.items():
        (found,) = between(pckh | {key: value}, pckh | {key: "x"})
        assert (found.field, found.severity) == (f"pckh.{key}", "incomparable")
        assert f"{value}" in found.reason
    (found,) = between(pckh | {"unscored": ["pelvis", "neck"]}, pckh | {"unscored": []})
    assert found.reason == "joints left out: pelvis, neck against none"


def test_what_is_no_condition_is_no_difference() -> None:
    same = changed(engine="pycocotools", annotations="copy.json", instances_without_prediction=3)
    assert between(same, WHOLE) == []
    by_the_way = changed(
        overlap={"images": 0, "decided_by": "content"}, boxes={"kind": "labelled", "note": 1}
    )
    assert between(by_the_way, WHOLE) == []


def test_boxes_of_one_name_and_other_content_or_threshold() -> None:
    first = changed(boxes=DETECTED)
    (found,) = between(changed(boxes=DETECTED | {"fingerprint": "d1"}), first)
    assert found.reason == (
        "boxes: two files of different content called COCO_val2017_detections (56.4 AP)"
    )
    (found,) = between(changed(boxes=DETECTED | {"threshold": 0.5}), first)
    assert "(56.4 AP) from score 0.5 against COCO" in found.reason
    (found,) = between(changed(boxes={"kind": "none"}, padding=None), first)
    assert found.reason.startswith("boxes: none (whole images) against COCO")


def test_order_does_not_matter() -> None:
    comparability_records = [WHOLE, *(case[3] for case in CASES)]
    for a, b in itertools.combinations(comparability_records, 2):
        there, back = between(a, b), between(b, a)
        assert {d[:2] for d in there} == {d[:2] for d in back}
        assert worst(there) == worst(back)


def test_a_whole_contract_equals_its_copy_however_it_was_stored() -> None:
    for comparability in (WHOLE, *(case[3] for case in CASES)):
        again = json.loads(json.dumps(comparability))
        expected = [] if "run" in comparability else ["unknown"]
        assert [d.severity for d in between(comparability, again)] == expected


def test_the_gravest_comes_first() -> None:
    found = between(OKS | {"area": "0.53 box", "detection_area": "boxes"}, WHOLE)
    assert [d.severity for d in found] == ["incomparable", "unequal", "unknown"]
    assert worst(found) == "incomparable"
    assert worst([]) is None


def test_a_field_nobody_has_heard_of_is_told() -> None:
    (found,) = between(changed(new_rule="a") | {"new_rule": "a"}, WHOLE | {"new_rule": "b"})
    assert found == ("oks.new_rule", "unequal", "new rule: a against b")
    (found,) = between(WHOLE | {"new_rule": "a"}, WHOLE)
    assert found == ("oks.new_rule", "unknown", "unknown: only one record says its new rule")


def test_doubts_need_no_second_record() -> None:
    assert doubts(WHOLE) == []
    assert doubts(changed(overlap={"images": 3})) == [
        "training images include 3 of the evaluation images"
    ]
    assert "says nothing of its boxes" in doubts(OKS)[0]


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
    CrowdEvaluator(),
    PartsEvaluator(),
    SeveralMetrics([OksEvaluator(), PckhEvaluator(), PckEvaluator()]),
]


def test_no_evaluator_is_forgotten() -> None:
    """Whoever adds one must say in the list above which fields it writes."""
    found = set()
    for module in pkgutil.iter_modules(poselab.evaluation.__path__):
        content = vars(importlib.import_module(f"poselab.evaluation.{module.name}")).values()
        found |= {
            kind for kind in content if isinstance(kind, type) and hasattr(kind, "primary_metric")
        }
    made = {kind for kind in found if not getattr(kind, "_is_protocol", False)}
    assert made == {type(evaluator) for evaluator in EVALUATORS}


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: type(e).__name__)
def test_every_field_that_evaluators_write_is_known(
    evaluator: Any, make_table: Make, answer: Answer
) -> None:
    whole = isinstance(evaluator, PartsEvaluator)
    table = instances(make_table, WHOLEBODY133 if whole else COCO17)
    comparability = evaluator(answer(table), table).comparability
    for part in parts(comparability).values():
        assert part.keys() <= OF_METRIC.keys()
        for key in part.keys() - {"metric"}:
            other = copy.deepcopy(comparability) | {"run": RUN}
            holder = other if other["metric"] == part["metric"] else other[part["metric"]]
            holder[key] = [*part[key], 1] if isinstance(part[key], list) else f"not {part[key]}"
            found = between(comparability | {"run": RUN}, other)
            neutral = OF_METRIC[key].severity == "neutral"
            assert bool(found) != neutral, key
    assert between(comparability | {"run": RUN}, comparability | {"run": RUN}) == []


def test_a_metric_that_only_one_record_has_is_no_difference(
    table: Annotations, answer: Answer
) -> None:
    both = SeveralMetrics([OksEvaluator(), PckhEvaluator()])(answer(table), table).comparability
    reverse = SeveralMetrics([PckhEvaluator(), OksEvaluator()])(answer(table), table).comparability
    alone = PckhEvaluator()(answer(table), table).comparability
    for first, second in itertools.permutations([both, reverse, alone], 2):
        assert between(first | {"run": RUN}, second | {"run": RUN}) == []


def test_as_many_other_images_are_told(table: Annotations, answer: Answer) -> None:
    for evaluator in (OksEvaluator(), PckhEvaluator(), PckEvaluator()):
        first, second = (
            evaluator(answer(table), table, chosen).comparability | {"run": RUN}
            for chosen in ([0, 1], [0, 2])
        )
        (found,) = between(first, second)
        assert found.reason == "as many images (2), but not the same ones"


def test_the_digest_tells_which_images(table: Annotations) -> None:
    def digest(*asked: Any) -> Any:
        return annotation_comparability(table, 2, 4, *asked)["image_set"]

    assert digest([0, 1]) == digest(np.array([1, 0])) != digest([0, 2])
    assert digest() == digest([2, 1, 0])


def test_a_run_leaves_its_part_beside_its_predictions(tmp_path: Path) -> None:
    file = tmp_path / "run" / "predictions" / "val.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    assert read_comparability(file) == {}
    manifest = tmp_path / "run" / "run.json"
    manifest.write_text(json.dumps({"seed": 0}))  # of a version that kept no contract
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


def test_a_file_may_have_a_contract_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "predictions" / "found.json"
    write_comparability(file, {"flip_test": False})
    assert read_comparability(file) == {}  # of predictions that are not there
    file.write_text("[]")
    (tmp_path / "run.json").write_text(json.dumps({"comparability": RUN}))
    assert read_comparability(file) == {"run": {"flip_test": False}}
    other = file.with_name("other.json")
    other.write_text("[]")
    assert read_comparability(other) == {"run": RUN}
