"""Sigmas, flip pairs and areas that a user says: in training, in evaluate and compare alike."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations, open_annotations
from poselab.annotations.options import AnnotationOptions, annotation_options, with_options
from poselab.cli import main
from poselab.evaluation.api import evaluate
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions, write_predictions
from poselab.report.comparison_report import compare
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
NAMES = ("topLeft", "topRight", "middle")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def ground_truth(tmp_path: Path) -> Path:
    """Twelve people of three keypoints in images of 200 × 200; the first four have area 0."""
    draw, entries = np.random.default_rng(1), []
    for number in range(1, 13):
        points = np.column_stack([draw.uniform(30, 150, (3, 2)).round(1), np.full(3, 2)])
        entry = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0}
        entry |= {"keypoints": points.ravel().tolist(), "num_keypoints": 3}
        area = 0.0 if number < 5 else 8000.0
        entries.append(entry | {"bbox": [20, 20, 140, 140], "area": area})
    images = [{"id": n, "file_name": f"{n}.png", "height": 200, "width": 200} for n in range(1, 13)]
    category = {"id": 1, "name": "card", "keypoints": list(NAMES), "skeleton": []}
    path = tmp_path / "ground_truth.json"
    content = {"images": images, "annotations": entries, "categories": [category]}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def make_run(tmp_path: Path, ground_truth: Path, predict: Predict) -> Callable[..., Path]:
    """A run's folder with poses some pixels away, as training with these options leaves it."""

    def make(name: str, **options: Any) -> Path:
        folder = tmp_path / name
        (folder / "predictions").mkdir(parents=True)
        poses = predict(open_annotations(ground_truth), 6.0)
        poses = replace(poses, scores=np.linspace(0.5, 0.9, len(poses)))
        write_predictions(folder / "predictions" / "val.json", poses)
        (folder / "run.json").write_text(json.dumps({"annotation_options": options}))
        return folder

    return make


def test_a_run_is_evaluated_with_its_own_sigmas_and_areas(
    make_run: Callable[..., Path], ground_truth: Path
) -> None:
    table = open_annotations(ground_truth)
    guessed = evaluate(make_run("plain"), ground_truth)
    own = evaluate(make_run("own", sigmas=[0.1] * 3, area="box"), ground_truth)
    assert guessed["AP"] < own["AP"]
    direct = with_options(table, AnnotationOptions(sigmas=(0.1,), area="box"))
    assert own["AP"] == evaluate(make_run("other"), direct)["AP"]
    assert (own.comparability["sigmas"], own.comparability["sigmas_from"]) == ([0.1] * 3, "user")
    assert own.comparability["area"] == "annotated, 0.53 box where 0"
    assert any("no published sigmas" in w and "--sigmas" in w for w in guessed.warnings)
    assert not any("sigmas" in warning for warning in own.warnings)
    chosen = with_options(table, AnnotationOptions(sigmas=(0.05,), area=1.0))
    assert evaluate(make_run("again", sigmas=[0.1] * 3), chosen)["AP"] < own["AP"]


def test_evaluate_takes_sigmas_as_words_or_as_a_file(
    make_run: Callable[..., Path], ground_truth: Path, tmp_path: Path
) -> None:
    (tmp_path / "sigmas.json").write_text(json.dumps({"sigmas": [0.1, 0.1, 0.1]}))
    words = ["evaluate", str(make_run("run")), "--annotations", str(ground_truth)]
    found = []
    for sigmas in ("0.1", "0.1,0.1,0.1", str(tmp_path / "sigmas.json"), "0.05"):
        out = tmp_path / "metrics.json"
        assert main([*words, "--sigmas", sigmas, "--area", "9000", "--json", str(out)]) == 0
        found.append(json.loads(out.read_text())["AP"])
    assert found[0] == found[1] == found[2] > found[3]


def test_compared_runs_share_their_sigmas(
    make_run: Callable[..., Path], ground_truth: Path
) -> None:
    wide, narrow = make_run("wide", sigmas=[0.1]), make_run("narrow", sigmas=[0.03])
    plain = make_run("plain")
    comparison = compare({"a": wide, "b": plain}, ground_truth, replicates=5)
    assert comparison.values[0, 0] == comparison.values[1, 0] == evaluate(wide, ground_truth)["AP"]
    with pytest.raises(InputError, match=r"the same sigmas.*\(0\.1,\).*choose with --sigmas"):
        compare({"a": wide, "b": narrow}, ground_truth, replicates=5)
    chosen = with_options(open_annotations(ground_truth), AnnotationOptions(sigmas=(0.05,)))
    assert len(compare({"a": wide, "b": narrow}, chosen, replicates=5).methods) == 2


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
def test_people_of_area_0_are_said_and_match_with_an_area(
    make_table: Make, predict: Predict, engine: str
) -> None:
    one = Skeleton("one", ("tip",), ())
    points = np.random.default_rng(0).uniform(50, 150, (12, 3))
    points[:, 2] = 2
    table = make_table(points[:, None], one, areas=np.zeros(12))
    found, evaluator = predict(table, 2.0), OksEvaluator(engine)
    metrics = evaluate(found, table, evaluator)
    assert metrics["AP"] == 0
    assert any("12 of 12 labelled people have area 0" in warning for warning in metrics.warnings)
    chosen = with_options(table, AnnotationOptions(area=10_000.0))
    metrics = evaluate(found, chosen, evaluator)
    assert metrics["AP"] == 1
    assert metrics.comparability["area"] == "10000 px²"
    assert any("uses derived ones (10000 px²)" in warning for warning in metrics.warnings)


def test_options_survive_selection_and_pickling(ground_truth: Path) -> None:
    options = annotation_options([0.1, 0.2, 0.3], [["topLeft", "middle"]], "box")
    table = with_options(open_annotations(ground_truth), options)
    assert table.cache_file
    for other in (table.select(slice(0, 3)), pickle.loads(pickle.dumps(table))):
        assert other.skeleton == table.skeleton
        assert other.skeleton.flip_index == (2, 1, 0)
        np.testing.assert_array_equal(other.areas, table.areas[: len(other)])
        assert other.options == options
    assert open_annotations(ground_truth).skeleton.flip_index == (1, 0, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sigmas": [0.1, 0.2]}, "expected 3 sigmas, one for each"),
        ({"sigmas": [0.1, -1, 0.1]}, "expected OKS sigmas above 0"),
        ({"sigmas": {"a": 1}}, "expected OKS sigmas above 0"),
        ({"sigmas": "nowhere.json"}, "nowhere.json"),
        ({"flip_pairs": [["topLeft", "tail"]]}, "expected flip pairs of"),
        ({"flip_pairs": ["topLeft", "topRight"]}, "expected flip pairs as pairs"),
        ({"flip_pairs": [["top_left", "middle"], ["middle", "top_right"]]}, "one pair at most"),
        ({"area": "keypoints"}, "expected as area"),
        ({"area": 0}, "expected as area"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    ground_truth: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        with_options(open_annotations(ground_truth), annotation_options(**given))
