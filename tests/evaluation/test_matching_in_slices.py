"""Large files are matched slice by slice, with the values that all images at once give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations.table import Annotations
from poselab.evaluation.accumulator import point_values
from poselab.evaluation.matching import coco_datasets
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions

AT_ONCE = 40


def noisy(annotations: Annotations) -> Predictions:
    """Two poses of every person, with scores of one digit, so that many are equal."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(annotations.num_instances), 2)
    keypoints = annotations.keypoints[rows] + rng.normal(0, 8, annotations.keypoints[rows].shape)
    return Predictions(
        image_ids=annotations.image_ids[annotations.image_of()[rows]],
        annotation_ids=np.full(len(rows), -1),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2]),
        scores=rng.integers(1, 9, len(rows)) / 10,
    )


@pytest.fixture
def people(make_table: Callable[..., Annotations]) -> Annotations:
    """Sixty people of two sizes in thirty images, far apart from each other."""
    rng = np.random.default_rng(2)
    points = rng.uniform(0, 100, (60, 17, 3)) + 300.0 * (np.arange(60) % 2)[:, None, None]
    points[..., 2] = 2
    images, areas = np.arange(60) // 2, np.where(np.arange(60) % 3, 5_000.0, 20_000.0)
    return make_table(points, images=images, areas=areas)


@pytest.fixture
def sliced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Small slices; the number of poses of each that an engine gets."""
    sizes: list[int] = []
    detections: Callable[..., dict[str, Any]] = coco_datasets._detections

    def counted(predictions: Predictions, rows: Any, ground_truth: Any) -> dict[str, Any]:
        sizes.append(len(rows))
        return detections(predictions, rows, ground_truth)

    monkeypatch.setattr(coco_datasets, "ROWS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(coco_datasets, "_detections", counted)
    return sizes


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
def test_slices_give_the_same_matches(
    people: Annotations, sliced: list[int], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shuffled = np.random.default_rng(1).permutation(2 * people.num_instances)
    predictions, evaluator = noisy(people).take(shuffled), OksEvaluator(engine)
    in_slices = evaluator.match(predictions, people)
    assert len(sliced) > 3
    assert max(sliced) <= 2 * AT_ONCE
    monkeypatch.setattr(coco_datasets, "ROWS_AT_ONCE", 10**9)
    for part, whole in zip(in_slices, evaluator.match(predictions, people), strict=True):
        np.testing.assert_array_equal(part, whole)


def test_streamed_values_of_slices_are_those_of_the_accumulation(
    people: Annotations, sliced: list[int]
) -> None:
    predictions = noisy(people)
    streamed = OksEvaluator()(predictions, people).values
    assert len(sliced) > 3
    assert streamed == point_values(OksEvaluator().accumulate(predictions, people))
