"""Errors as the program of Ronchi and Perona (2017) counts them on real annotations.

The values come from github.com/matteorr/coco-analyze (commit 9eb8a0a) with areas from 0 to 1e10,
the OKS threshold 0.1 for matches and one error corrected at a time. Two things were fixed there:
calls that NumPy no longer has, and, for AP, the distance of corrected keypoints from the ground
truth, which lacked the factor 2 of COCO's sigmas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from poselab.annotations import open_annotations
from poselab.evaluation.diagnosis import diagnose, error_costs
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations

    Data = Callable[[str], Path]

# counts of good, jitter, inversion, swap and miss, and AP with one error corrected
XTCOCO = (
    [160, 8, 3, 0, 10],
    {"miss": 0.892504, "swap": 0.860890, "inversion": 0.861575, "jitter": 0.861575},
)
DEGRADED = (
    [6627, 1914, 1075, 1182, 3735],
    {"miss": 0.340106, "swap": 0.289521, "inversion": 0.289369, "jitter": 0.263363},
)


def degraded(annotations: Annotations) -> Predictions:
    """Three poses of every labelled person: jittered, with sides and neighbours confused."""
    rng = np.random.default_rng(7)
    instances = np.flatnonzero((annotations.visibility > 0).any(axis=1) & ~annotations.crowd)
    rows = np.repeat(instances, 3)
    points = annotations.keypoints[rows]
    flipped = points[:, list(annotations.skeleton.flip_index)]
    neighbours = annotations.keypoints[np.roll(instances, 1).repeat(3)]
    chance = rng.random((*points.shape[:2], 1))
    poses = np.where(chance < 0.1, flipped, np.where(chance < 0.2, neighbours, points))
    size = np.sqrt(annotations.areas[rows])[:, None, None]
    poses = poses + rng.normal(size=points.shape) * size * rng.gamma(1.0, 0.06, (len(rows), 1, 1))
    poses[rng.random(points.shape[:2]) < 0.05] += 300
    image_ids = annotations.image_ids[annotations.image_of()[rows]]
    ids, seen = np.full(len(rows), -1), np.ones(points.shape[:2])
    return Predictions(image_ids, ids, np.round(poses, 2), seen, rng.random(len(rows)))


def compare(
    predictions: Predictions, annotations: Annotations, expected: tuple[list[int], dict[str, float]]
) -> None:
    diagnosis = diagnose(predictions, annotations)
    counts, corrected = expected
    assert diagnosis.counts_by_joint().sum(axis=0).tolist() == counts
    costs = error_costs(predictions, annotations, diagnosis, OksEvaluator())
    done = {cost.error: cost for cost in costs}
    # The program moves keypoints along x, which changes their similarity to other people's.
    assert {error: done[error].ap for error in corrected} == pytest.approx(corrected, abs=2e-4)
    assert all(cost.gain >= -1e-3 for cost in done.values())


def test_real_predictions_of_four_images(shared_data: Data) -> None:
    annotations = open_annotations(shared_data("oks-cases/xtcocoapi_example/gt.json"), cache=False)
    predictions = read_predictions(shared_data("oks-cases/xtcocoapi_example/predictions.json"))
    compare(predictions, annotations, XTCOCO)


def test_degraded_labels_of_538_images(shared_data: Data) -> None:
    path = shared_data("coco-val2017-538/person_keypoints_val2017_subset538.json")
    annotations = open_annotations(path, cache=False)
    compare(degraded(annotations), annotations, DEGRADED)
