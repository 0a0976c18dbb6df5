"""Large comparisons share their work among processes, and give the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.annotations.table import Annotations
from poselab.evaluation.comparison import compare_methods
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.report.analysis import analyse


@dataclass
class Forks:
    """How often work was given to another process."""

    number: int = 0

    def __call__(self) -> bool:
        self.number += 1
        return True


def noisy(annotations: Annotations, noise: float) -> PredictionsFile:
    rng = np.random.default_rng(0)
    keypoints = annotations.keypoints + rng.normal(0, noise, annotations.keypoints.shape)
    image_ids = annotations.image_ids[annotations.image_of()]
    ids, scores = np.full(len(image_ids), -1), rng.random(len(image_ids))
    poses = Predictions(image_ids, ids, keypoints, np.ones(keypoints.shape[:2]), scores)
    return PredictionsFile(Path("results.json"), poses, {})


def everything(annotations: Annotations) -> dict[str, Any]:
    runs = {f"{noise:g} pixels": [noisy(annotations, noise)] for noise in (2.0, 5.0, 9.0)}
    # hotcoco has threads, which a fork of this process would lack.
    comparison = compare_methods(runs, annotations, OksEvaluator("pycocotools"), replicates=20)
    analyses = analyse(comparison)
    return {
        "samples": [method.replicates.samples for method in comparison.methods],
        "values": comparison.to_json()["pairs"],
        "poses": [one.predictions.keypoints for one in analyses],
        "errors": [one.diagnosis.status for one in analyses],
        "costs": [[tuple(cost) for cost in one.costs] for one in analyses],
        "breakdowns": [[tuple(b) for b in one.breakdowns] for one in analyses],
    }


def test_the_numbers_are_those_of_one_process(
    make_table: Callable[..., Annotations], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(1).uniform(0, 200, (40, 17, 3))
    points[..., 2] = 2
    annotations = make_table(points, images=np.arange(40) // 2)
    alone = everything(annotations)
    forks = Forks()
    monkeypatch.setattr("poselab.io.background.possible", forks)
    monkeypatch.setattr("poselab.evaluation.comparison.MANY", 1)
    monkeypatch.setattr("poselab.report.analysis.MANY", 1)
    monkeypatch.setattr("poselab.evaluation.statistics.bootstrap._MANY_IMAGES", 1)
    shared = everything(annotations)
    assert forks.number == 4  # two that match, one that resamples, one that analyses
    np.testing.assert_equal(shared, alone)
