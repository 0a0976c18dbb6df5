"""Poses matched over pairs that are compared once are matched as both engines match them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from coco_cases import case

from poselab.annotations import open_annotations
from poselab.evaluation.matching.candidates import candidates, match_candidates, pairs_to_match
from poselab.evaluation.matching.coco import Matching
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations

SIGMAS = np.linspace(0.03, 0.1, 9).tolist()
FEW = 4


def opened(folder: Path, seed: int) -> tuple[Predictions, Annotations]:
    """Crowds, people without labels, equal scores; and every seventh pose larger than COCO's
    greatest area."""
    ground_truth, found = case(seed, 9)
    for one in found[::7]:
        one["keypoints"][0] = one["keypoints"][1] = 1e6
    (folder / "gt.json").write_text(json.dumps(ground_truth))
    (folder / "found.json").write_text(json.dumps(found))
    return read_predictions(folder / "found.json"), open_annotations(folder / "gt.json")


def matched(predictions: Predictions, annotations: Annotations, image_ids: list[int]) -> Matching:
    pairs = pairs_to_match(predictions, annotations, SIGMAS)
    images = np.isin(annotations.image_ids, image_ids)
    return match_candidates(candidates(predictions, annotations, pairs, images, FEW), annotations)


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@pytest.mark.parametrize("seed", range(8))
def test_every_decision_is_the_engines(tmp_path: Path, seed: int, engine: str) -> None:
    predictions, annotations = opened(tmp_path, seed)
    evaluator = OksEvaluator(engine, sigmas=SIGMAS, max_detections=FEW)
    for image_ids in (annotations.image_ids.tolist(), annotations.image_ids[::2].tolist()):
        ours = matched(predictions, annotations, image_ids)
        theirs = evaluator.match(predictions, annotations, image_ids, ("all",))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_no_poses_match_nobody(tmp_path: Path) -> None:
    predictions, annotations = opened(tmp_path, 0)
    nothing = predictions.take(np.empty(0, int))
    matching = matched(nothing, annotations, annotations.image_ids.tolist())
    assert matching.person.shape == (1, 10, 0)
    assert matching.counts.sum() > 0
    nobody = replace(annotations, recorded_keypoints=np.zeros(annotations.num_instances, int))
    assert matched(predictions, nobody, [1]).counts.sum() == 0
