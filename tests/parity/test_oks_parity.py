"""OKS metrics equal those of pycocotools on the same files, to the last digit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from coco_cases import case, plain_pycocotools

from poselab.annotations import open_annotations
from poselab.evaluation.accumulator import metrics_of
from poselab.evaluation.metrics import hotcoco_streaming as streamed
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("keypoints", [5, 14, 17, 23])
@pytest.mark.parametrize("seed", range(8))
def test_both_engines_equal_plain_pycocotools(tmp_path: Path, seed: int, keypoints: int) -> None:
    ground_truth, found = case(seed, keypoints)
    if seed % 4 == 3:
        for record in found:
            record["bbox"] = [1.0, 2.0, 30.0 + record["score"], 45.0]
    (tmp_path / "ground_truth.json").write_text(json.dumps(ground_truth))
    (tmp_path / "found.json").write_text(json.dumps(found))
    annotations = open_annotations(tmp_path / "ground_truth.json", cache=False)
    predictions = read_predictions(tmp_path / "found.json")
    sigmas = np.random.default_rng(seed).uniform(0.02, 0.12, keypoints).tolist()
    expected = plain_pycocotools(tmp_path / "ground_truth.json", tmp_path / "found.json", sigmas)
    for engine in ("hotcoco", "pycocotools"):
        metrics = OksEvaluator(engine, sigmas=sigmas)(predictions, annotations)
        ours = [-1.0 if np.isnan(value) else value for value in metrics.values.values()]
        assert ours == expected, engine


@pytest.mark.parametrize("seed", range(12))
def test_halves_put_together_equal_plain_pycocotools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Also where scores tie between the halves, and images are listed in any order."""
    monkeypatch.setattr(streamed, "MANY", 1)
    ground_truth, found = case(seed, 17)
    for record in found:
        record["score"] = round(record["score"], 1)
        record |= {"bbox": [1.0, 2.0, 30.0 + record["score"], 45.0]} if seed % 2 else {}
    np.random.default_rng(seed).shuffle(ground_truth["images"])
    (tmp_path / "ground_truth.json").write_text(json.dumps(ground_truth))
    (tmp_path / "found.json").write_text(json.dumps(found))
    annotations = open_annotations(tmp_path / "ground_truth.json", cache=False)
    predictions = read_predictions(tmp_path / "found.json")
    metrics = OksEvaluator()(predictions, annotations)
    ours = [-1.0 if np.isnan(value) else value for value in metrics.values.values()]
    sigmas = list(annotations.skeleton.oks_sigmas)
    assert ours == plain_pycocotools(
        tmp_path / "ground_truth.json", tmp_path / "found.json", sigmas
    )
    both = ("instances", "images", "image_set")
    plain = OksEvaluator("pycocotools")(predictions, annotations)
    assert [metrics.comparability[key] for key in both] == [
        plain.comparability[key] for key in both
    ]
    accumulated = metrics_of(OksEvaluator().accumulate(predictions, annotations))
    assert accumulated.to_json() == metrics.to_json()


BY_TWO = """
import json, sys
from pathlib import Path
from poselab.cli import main
from poselab.evaluation import api, predictions
from poselab.evaluation.formats import json_records
from poselab.io import background
from poselab.evaluation.metrics import hotcoco_streaming
api.MANY = hotcoco_streaming.MANY = json_records.LARGE = predictions.LARGE = 1
made = []
start = background._start
background._start = lambda *given: made.append(start(*given)) or made[-1].copy()
status = main(["evaluate", sys.argv[2], "--annotations", sys.argv[1], "--json", sys.argv[3]])
assert not status and len(made) == (3 if len(background.os.sched_getaffinity(0)) > 1 else 0)
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="one process does it all")
def test_the_command_by_several_processes_equals_plain_pycocotools(tmp_path: Path) -> None:
    ground_truth, found = case(5, 17)
    files = [tmp_path / name for name in ("ground_truth.json", "found.json", "figures.json")]
    files[0].write_text(json.dumps(ground_truth))
    files[1].write_text(json.dumps(found))
    words = [sys.executable, "-c", BY_TWO, *map(str, files)]
    environment = os.environ | {"POSELAB_CACHE": str(tmp_path / "cache")}
    subprocess.run(words, check=True, timeout=60, env=environment, stdout=subprocess.DEVNULL)
    figures = json.loads(files[2].read_text())
    sigmas = figures["comparability"]["sigmas"]
    assert list(figures.values())[:10] == plain_pycocotools(files[0], files[1], sigmas)


def test_the_cases_cover_crowds_ties_and_missing_poses() -> None:
    """Some case has more than 20 poses in an image, a crowd, an ignored person, an empty range."""
    crowd = ignored = many = empty = single_range = False
    for seed in range(10):
        ground_truth, found = case(seed, 17)
        instances = ground_truth["annotations"]
        crowd |= any(person["iscrowd"] for person in instances)
        ignored |= any(not person["num_keypoints"] for person in instances)
        many |= np.bincount([record["image_id"] for record in found]).max() > 20
        empty |= len({person["image_id"] for person in instances}) < len(ground_truth["images"])
        areas = np.array([p["area"] for p in instances if p["num_keypoints"]])
        single_range |= bool(
            (areas < 32**2).all() or (areas > 96**2).all() or not len(areas)
        ) or not ((areas >= 96**2).any() and ((areas >= 32**2) & (areas <= 96**2)).any())
    assert crowd
    assert ignored
    assert many
    assert empty
    assert single_range
