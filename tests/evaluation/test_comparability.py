"""Records are marked where ranking them would deceive, with the reason in words."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.combined import Combined
from poselab.evaluation.comparability import (
    between,
    contract_beside,
    differences,
    doubts,
    parts,
    worst,
)
from poselab.evaluation.contract_fields import OF_METRIC, OF_RUN
from poselab.evaluation.metrics import annotation_contract
from poselab.evaluation.oks import OksEvaluator
from poselab.evaluation.pck import PckEvaluator
from poselab.evaluation.pckh import PckhEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.structures import InputError

Make = Callable[..., Annotations]
Answer = Callable[..., Predictions]

OKS = {
    "annotations": "person_keypoints_val2017.json",
    "fingerprint": "f0",
    "skeleton": "coco17",
    "keypoints": 17,
    "pictures": 5000,
    "picture_set": "a1",
    "people": 6352,
    "metric": "oks",
    "engine": "hotcoco",
    "sigmas": [0.026, 0.025],
    "sigmas_from": "skeleton",
    "area": "annotated",
    "boxes": "annotated",
    "detection_area": "keypoints",
    "max_detections": 20,
}
RUN = {
    "boxes": {"kind": "labelled"},
    "flip_test": True,
    "mirror_shift": 1,
    "pixels": "hrnet",
    "input_size": [256, 192],
    "padding": 1.25,
    "score": "box score · mean of keypoint scores above 0.2",
    "nms": {"kind": "OKS", "threshold": 0.9},
    "training": {
        "annotations": "person_keypoints_train2017.json",
        "fingerprint": "f1",
        "pictures": 118_287,
        "people": 149_813,
        "picture_set": "b1",
    },
    "overlap": {"pictures": 0, "decided_by": "file names"},
}
WHOLE = OKS | {"run": RUN}
DETECTED = {
    "kind": "detected",
    "file": "COCO_val2017_detections",
    "fingerprint": "d0",
    "threshold": 0.0,
    "person_AP": 0.564,
}
PCKH = {"metric": "pckh", "fingerprint": "m0", "pictures": 3, "picture_set": "q", "people": 4}


def changed(**changes: Any) -> dict[str, Any]:
    """A whole contract of which the named fields, of either part, are different."""
    run = {key: value for key, value in changes.items() if key in RUN and key != "boxes"}
    if isinstance(changes.get("boxes"), dict):
        run["boxes"] = changes["boxes"]
    rest = {key: value for key, value in changes.items() if key not in run}
    return OKS | rest | {"run": RUN | run}


CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "incomparable",
        "oks.fingerprint",
        "labels: mine.json against person_keypoints_val2017.json",
        changed(annotations="mine.json", fingerprint="f9"),
    ),
    (
        "incomparable",
        "oks.fingerprint",
        "labels: two files of different content called person_keypoints_val2017.json",
        changed(fingerprint="f9"),
    ),
    (
        "incomparable",
        "oks.pictures",
        "2,346 against 5,000 pictures",
        changed(pictures=2346, picture_set="a2", people=6000),
    ),
    (
        "incomparable",
        "oks.picture_set",
        "as many pictures (5,000), but not the same ones",
        changed(picture_set="a2"),
    ),
    ("incomparable", "oks.people", "6,351 against 6,352 scored people", changed(people=6351)),
    (
        "incomparable",
        "oks.skeleton",
        "skeleton: crowdpose14 against coco17",
        changed(skeleton="crowdpose14", keypoints=14, sigmas=[0.079]),
    ),
    ("incomparable", "oks.keypoints", "16 against 17 keypoints", changed(keypoints=16)),
    (
        "incomparable",
        "oks.sigmas",
        "sigmas: guessed against published",
        changed(sigmas=[0.05, 0.05], sigmas_from="guess"),
    ),
    (
        "incomparable",
        "oks.sigmas",
        "sigmas: other values for 1 keypoints",
        changed(sigmas=[0.026, 0.05]),
    ),
    (
        "incomparable",
        "oks.area",
        "area of people: 0.53 box against annotated",
        changed(area="0.53 box"),
    ),
    (
        "incomparable",
        "oks.boxes",
        "labelled boxes: around keypoints against annotated",
        changed(boxes="around keypoints"),
    ),
    (
        "incomparable",
        "oks.max_detections",
        "the best 100 against 20 poses of a picture",
        changed(max_detections=100),
    ),
    (
        "unequal",
        "oks.detection_area",
        "size of a pose, by which APM and APL sort: its boxes against its keypoints",
        changed(detection_area="boxes"),
    ),
    (
        "unequal",
        "run.boxes",
        "boxes: COCO_val2017_detections (56.4 AP) against ground truth",
        changed(boxes=DETECTED),
    ),
    ("unequal", "run.flip_test", "flip test: off against on", changed(flip_test=False)),
    (
        "unequal",
        "run.mirror_shift",
        "flip test moves maps by 0 against 1 cells",
        changed(mirror_shift=0),
    ),
    ("unequal", "run.pixels", "pixel convention: udp against hrnet", changed(pixels="udp")),
    (
        "unequal",
        "run.input_size",
        "input of 384 × 288 against 256 × 192 pixels (height × width)",
        changed(input_size=[384, 288]),
    ),
    ("unequal", "run.padding", "boxes enlarged 1 against 1.25 times", changed(padding=1.0)),
    (
        "unequal",
        "run.score",
        "score of a pose: mean of all keypoint scores against "
        "box score · mean of keypoint scores above 0.2",
        changed(score="mean of all keypoint scores"),
    ),
    ("unequal", "run.nms", "NMS: none against OKS 0.9", changed(nms=None)),
    (
        "unequal",
        "run.training",
        "trained on aic.json (210,000 pictures) against "
        "person_keypoints_train2017.json (118,287 pictures)",
        changed(training={"annotations": "aic.json", "fingerprint": "f2", "pictures": 210_000}),
    ),
    (
        "unequal",
        "run.overlap",
        "training pictures include 3 of the evaluation pictures, the other's none",
        changed(overlap={"pictures": 3, "decided_by": "file names"}),
    ),
    (
        "unknown",
        "run",
        "unknown: this results file says nothing of its boxes, flip test, scores, NMS and "
        "training data",
        OKS,
    ),
]


@pytest.mark.parametrize(("severity", "field", "reason", "contract"), CASES)
def test_each_difference_has_its_words_and_stands_alone(
    severity: str, field: str, reason: str, contract: dict[str, Any]
) -> None:
    assert differences([WHOLE, contract]) == [[], [(field, severity, reason)]]
    assert differences([WHOLE, contract], reference=1)[1] == []


def test_every_field_has_a_case() -> None:
    told = {field.partition(".")[::2] for _, field, _, _ in CASES}
    assert {name for part, name in told if part == "run"} - {""} == set(OF_RUN)
    of_oks = {name for part, name in told if part == "oks"}
    neutral = {name for name, field in OF_METRIC.items() if field.severity == "neutral"}
    assert of_oks | neutral | {"metric", "rule", "auc", "thresholds", "unscored", "match"} == set(
        OF_METRIC
    )


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
    same = changed(engine="pycocotools", annotations="copy.json", unanswered_people=3)
    assert between(same, WHOLE) == []
    by_the_way = changed(
        overlap={"pictures": 0, "decided_by": "content"}, boxes={"kind": "labelled", "note": 1}
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
    assert found.reason.startswith("boxes: none (whole pictures) against COCO")


def test_order_does_not_matter() -> None:
    contracts = [WHOLE, *(case[3] for case in CASES)]
    for a, b in itertools.combinations(contracts, 2):
        there, back = between(a, b), between(b, a)
        assert {d[:2] for d in there} == {d[:2] for d in back}
        assert worst(there) == worst(back)


def test_a_whole_contract_equals_its_copy_however_it_was_stored() -> None:
    for contract in (WHOLE, *(case[3] for case in CASES)):
        again = json.loads(json.dumps(contract))
        expected = [] if "run" in contract else ["unknown"]
        assert [d.severity for d in between(contract, again)] == expected


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
    assert doubts(changed(overlap={"pictures": 3})) == [
        "training pictures include 3 of the evaluation pictures"
    ]
    assert "says nothing of its boxes" in doubts(OKS)[0]


@pytest.fixture
def table(make_table: Make) -> Annotations:
    points = np.full((6, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (6, 17, 2))
    heads = [[0.0, 0.0, 30.0, 40.0]] * 6
    return make_table(points, pictures=[0, 0, 1, 1, 2, 2], head_boxes=heads)


EVALUATORS = [
    OksEvaluator(),
    OksEvaluator(engine="pycocotools", sigmas=[0.1] * 17),
    PckhEvaluator(),
    PckhEvaluator(match="best_oks"),
    PckEvaluator(),
    PckEvaluator(reference="box", match="best_oks"),
    Combined([OksEvaluator(), PckhEvaluator(), PckEvaluator()]),
]


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: type(e).__name__)
def test_every_field_that_evaluators_write_is_known(
    evaluator: Any, table: Annotations, answer: Answer
) -> None:
    contract = evaluator(answer(table), table).contract
    for part in parts(contract).values():
        assert part.keys() <= OF_METRIC.keys()
        for key in part.keys() - {"metric"}:
            other = copy.deepcopy(contract) | {"run": RUN}
            holder = other if other["metric"] == part["metric"] else other[part["metric"]]
            holder[key] = [*part[key], 1] if isinstance(part[key], list) else f"not {part[key]}"
            found = between(contract | {"run": RUN}, other)
            neutral = OF_METRIC[key].severity == "neutral"
            assert bool(found) != neutral, key
    assert between(contract | {"run": RUN}, contract | {"run": RUN}) == []


def test_a_metric_that_only_one_record_has_is_no_difference(
    table: Annotations, answer: Answer
) -> None:
    both = Combined([OksEvaluator(), PckhEvaluator()])(answer(table), table).contract
    reverse = Combined([PckhEvaluator(), OksEvaluator()])(answer(table), table).contract
    alone = PckhEvaluator()(answer(table), table).contract
    for first, second in itertools.permutations([both, reverse, alone], 2):
        assert between(first | {"run": RUN}, second | {"run": RUN}) == []


def test_the_digest_tells_which_pictures(table: Annotations) -> None:
    def digest(*asked: Any) -> Any:
        return annotation_contract(table, 2, 4, *asked)["picture_set"]

    assert digest([0, 1]) == digest(np.array([1, 0])) != digest([0, 2])
    assert digest() == digest([2, 1, 0])


def test_a_run_leaves_its_part_beside_its_predictions(tmp_path: Path) -> None:
    file = tmp_path / "run" / "predictions" / "val.json"
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    assert contract_beside(file) == {}
    manifest = tmp_path / "run" / "run.json"
    manifest.write_text(json.dumps({"seed": 0}))  # of a version that kept no contract
    assert contract_beside(file) == {}
    manifest.write_text(json.dumps({"contract": RUN}))
    assert contract_beside(file) == contract_beside(tmp_path / "run") == {"run": RUN}
    elsewhere = tmp_path / "run" / "other" / "results.json"
    elsewhere.parent.mkdir()
    elsewhere.write_text("[]")
    assert contract_beside(elsewhere) == {}
    assert contract_beside(tmp_path / "missing.json") == {}
    manifest.write_text("{")
    with pytest.raises(InputError, match="expected JSON in"):
        contract_beside(file)
