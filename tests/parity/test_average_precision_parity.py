"""Our accumulation is COCO's: as it stands, and for sets that repeat images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from coco_cases import case, plain_pycocotools

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions

if TYPE_CHECKING:
    from pathlib import Path


def written(
    folder: Path, ground_truth: dict[str, Any], found: list[dict[str, Any]]
) -> tuple[Path, Path]:
    gt, dt = folder / "ground_truth.json", folder / "found.json"
    gt.write_text(json.dumps(ground_truth))
    dt.write_text(json.dumps(found))
    return gt, dt


def repeated(
    ground_truth: dict[str, Any], found: list[dict[str, Any]], weights: dict[int, int]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The set with image i standing weights[i] times, copies of an image next to each other."""
    images, annotations, results = [], [], []
    for image in ground_truth["images"]:
        for copy in range(weights[image["id"]]):
            new = image["id"] * 100 + copy
            images.append({**image, "id": new})
            for source, target in ((ground_truth["annotations"], annotations), (found, results)):
                target += [{**e, "image_id": new} for e in source if e["image_id"] == image["id"]]
    for number, entry in enumerate(annotations, start=1):
        entry["id"] = number
    return {**ground_truth, "images": images, "annotations": annotations}, results


def accumulate(gt: Path, dt: Path, engine: str, sigmas: list[float]) -> OksAccumulator:
    evaluator = OksEvaluator(engine=engine, sigmas=sigmas)
    return evaluator.accumulate(read_predictions(dt), open_annotations(gt))


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@pytest.mark.parametrize("seed", range(8))
def test_whole_set_equals_the_engine(tmp_path: Path, seed: int, engine: str) -> None:
    keypoints = (5, 17)[seed % 2]
    sigmas = np.linspace(0.03, 0.1, keypoints).tolist()
    gt, dt = written(tmp_path, *case(seed, keypoints))
    accumulator = accumulate(gt, dt, engine, sigmas)
    ours = accumulator.values(np.ones((1, len(accumulator.image_ids)), int))[0]
    theirs = plain_pycocotools(gt, dt, sigmas)
    expected = [np.nan if value == -1 else value for value in theirs]
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("seed", range(12))
def test_repeated_images_equal_pycocotools_on_the_repeated_set(tmp_path: Path, seed: int) -> None:
    ground_truth, found = case(seed, 9)
    rng = np.random.default_rng(seed)
    for entry in found:  # equal scores of different images have no one right order
        entry["score"] = float(rng.random())
    sigmas = np.linspace(0.03, 0.1, 9).tolist()
    accumulator = accumulate(*written(tmp_path, ground_truth, found), "hotcoco", sigmas)
    weights = rng.poisson(1.0, len(accumulator.image_ids))
    many = repeated(
        ground_truth,
        found,
        dict(zip(accumulator.image_ids.tolist(), weights.tolist(), strict=True)),
    )
    theirs = plain_pycocotools(*written(tmp_path, *many), sigmas)
    expected = [np.nan if value == -1 else value for value in theirs]
    ours = accumulator.values(np.stack([weights, np.ones_like(weights)]))[0]
    np.testing.assert_array_equal(ours, expected)
