"""``poselab.evaluate`` and ``poselab.compare``: paths or objects in, typed results out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import poselab
from poselab.annotations import Annotations, open_annotations
from poselab.evaluation.evaluator import Evaluator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import (
    Predictions,
    read_predictions,
    rounded,
    write_predictions,
)
from poselab.evaluation.record import Metrics
from poselab.structures import InputError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Ground truth of twelve images, and predictions with small and with large errors."""
    rng = np.random.default_rng(0)
    people, images = [], []
    for n in range(1, 13):
        points = np.concatenate([rng.uniform(20, 180, (17, 2)), np.full((17, 1), 2.0)], axis=1)
        people.append(
            {"id": n, "image_id": n, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
            | {"bbox": [10, 10, 180, 180], "area": 20_000.0, "keypoints": points.ravel().tolist()}
        )
        images.append({"id": n, "file_name": f"{n}.jpg", "height": 200, "width": 200})
    category = {"id": 1, "name": "person"}
    ground_truth = {"images": images, "annotations": people, "categories": [category]}
    (tmp_path / "gt.json").write_text(json.dumps(ground_truth))
    for name, spread in (("near", 4.0), ("far", 12.0)):
        table = open_annotations(tmp_path / "gt.json", cache=False)
        poses = Predictions(
            table.image_ids,
            np.full(12, -1),
            table.keypoints + rng.normal(0, spread, table.keypoints.shape),
            np.ones((12, 17)),
            rng.random(12),
        )
        write_predictions(tmp_path / f"{name}.json", poses)
    return tmp_path / "gt.json", tmp_path / "near.json", tmp_path / "far.json"


def test_paths_and_objects_are_scored_alike(files: tuple[Path, Path, Path]) -> None:
    gt, near, _ = files
    by_path = poselab.evaluate(str(near), gt)
    table = open_annotations(gt)
    by_object = poselab.evaluate(read_predictions(near), table, OksEvaluator())
    assert by_path.to_json() == by_object.to_json()
    assert 0 < by_path["AP"] < 1
    first, *_, last = str(by_path).splitlines()
    assert first == f"AP{100 * by_path['AP']:>26.3f}"
    assert last == "12 people in 12 images of gt.json"


def test_the_interval_is_that_of_the_reported_value(files: tuple[Path, Path, Path]) -> None:
    gt, near, _ = files
    plain, sure = poselab.evaluate(near, gt), poselab.evaluate(near, gt, replicates=200)
    np.testing.assert_array_equal(list(sure.values.values()), list(plain.values.values()))
    low, high = sure.interval["AP"]
    assert low < sure["AP"] < high
    assert sure.comparability["interval"]["replicates"] == 200
    assert Metrics.from_json(sure.to_json()).to_json() == sure.to_json()


def test_predictions_are_matched_once(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gt, near, far = files
    calls = []
    match = OksEvaluator.match

    def counted(self: OksEvaluator, *given: object) -> object:
        calls.append(given)
        return match(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(OksEvaluator, "match", counted)
    poselab.evaluate(near, gt, "crowdpose", replicates=20)
    assert len(calls) == 1
    poselab.compare({"near": near, "far": far}, gt, replicates=20)
    assert len(calls) == 3


def test_a_comparison_is_printed_read_as_arrays_and_written(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    gt, near, far = files
    comparison = poselab.compare({"far": far, "near": near}, gt, replicates=50)
    assert [method.name for method in comparison.methods] == ["near", "far"]
    assert comparison.values.shape == (2, len(comparison.keys))
    assert comparison.methods[0].replicates.samples.shape == (50, len(comparison.keys))
    assert comparison.values[0, 0] == poselab.evaluate(near, gt)["AP"]
    assert "near" in str(comparison)
    assert "Minimum detectable difference" in str(comparison)
    page = comparison.write(tmp_path / "out")
    written = {path.name for path in page.parent.iterdir()}
    assert written == {"index.html", "table.md", "table.tex", "metrics.csv", "comparison.json"}


class CountPoses(Evaluator):
    """A user-defined evaluator."""

    primary_metric = "poses"

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: object = None
    ) -> Counts:
        return Counts(annotations.image_ids, predictions)


class Counts:
    """How many poses an image has."""

    keys = ("poses",)

    def __init__(self, image_ids: np.ndarray, predictions: Predictions) -> None:
        self.image_ids = np.sort(image_ids)
        self.counts = (self.image_ids[:, None] == predictions.image_ids).sum(axis=1)
        self.comparability = {"metric": "poses"}

    def values(self, weights: np.ndarray) -> np.ndarray:
        return (weights @ self.counts / weights.sum(axis=1))[:, None]


def test_a_user_defined_metric_is_one_class(files: tuple[Path, Path, Path]) -> None:
    gt, near, _ = files
    for metric in (CountPoses(), f"{__name__}.CountPoses"):
        assert poselab.evaluate(near, gt, metric, replicates=10).interval == {"poses": (1.0, 1.0)}
    with pytest.raises(InputError, match="expected a metric out of oks, .* got 'mota'"):
        poselab.evaluate(near, gt, "mota")


def test_rounded_predictions_are_what_a_file_gives_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = Predictions(
        np.arange(50),
        np.arange(50) - 1,
        rng.normal(0, 300, (50, 17, 2)),
        rng.random((50, 17)),
        rng.random(50),
    )
    write_predictions(tmp_path / "poses.json", poses)
    again, expected = read_predictions(tmp_path / "poses.json"), rounded(poses)
    for column in ("image_ids", "annotation_ids", "keypoints", "keypoint_scores", "scores"):
        np.testing.assert_array_equal(getattr(again, column), getattr(expected, column))
