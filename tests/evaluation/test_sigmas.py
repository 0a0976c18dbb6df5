"""Sigmas: hand cases, recovered from simulated annotators and models, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.cli import main
from poselab.evaluation.predictions import Predictions, write_predictions
from poselab.evaluation.statistics.sigmas import same_people, sigmas_of_repeats, sigmas_of_residuals
from poselab.skeletons import COCO17
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
TWO = Skeleton("two", ("tip", "tail"), (("tip", "tail"),))
SIGMAS = np.array([0.02, 0.08])


def by_hand(make_table: Make, tips: list[float], **columns: Any) -> Annotations:
    """People of 100 pixels² whose tips stand at these x, and of whom only the first has a tail."""
    points = [[[x, 0, 2], [50, 50, 2 if n == 0 else 0]] for n, x in enumerate(tips)]
    areas = np.full(len(tips), 100.0)
    return make_table(points, TWO, **({"areas": areas} | columns))


def test_two_labels_by_hand(make_table: Make) -> None:
    """Half of (2² / 100), and half of (4² / 100), in the mean: 0.05. The tail never moves."""
    estimate = sigmas_of_repeats(by_hand(make_table, [0, 10]), [by_hand(make_table, [2, 14])])
    assert estimate.keypoints == ("tip", "tail")
    assert estimate.sigmas[0] == pytest.approx(np.sqrt((0.02 + 0.08) / 2))
    assert estimate.sigmas[1] == 0
    assert estimate.counts.tolist() == [2, 1]
    assert estimate.too_few(2) == ("tail",)


def test_three_labels_by_hand(make_table: Make) -> None:
    """0, 3 and 6 about 3: (9 + 0 + 9) / 100 over two."""
    files = [by_hand(make_table, [x]) for x in (0, 3, 6)]
    assert sigmas_of_repeats(files[0], files[1:]).sigmas[0] == pytest.approx(np.sqrt(0.09))


def test_median_residual_by_hand(make_table: Make, predict: Predict) -> None:
    """Squared distances over area .01, .04 and 900: the median is .04, whatever the last one is."""
    table = by_hand(make_table, [0, 0, 0])
    offset = np.zeros((3, 2, 2))
    offset[:, 0, 1] = [1, 2, 300]
    estimate = sigmas_of_residuals(predict(table, offset), table)
    assert estimate.sigmas[0] == pytest.approx(np.sqrt(0.04 / np.log(2)))
    assert estimate.counts.tolist() == [3, 1]


def simulated(make_table: Make, count: int = 4_000) -> tuple[Annotations, np.random.Generator]:
    rng = np.random.default_rng(0)
    points = np.full((count, 2, 3), 2.0)
    points[..., :2] = rng.uniform(100, 400, (count, 2, 2))
    points[: count // 4, 1, 2] = 0
    return make_table(points, TWO, areas=rng.uniform(500, 40_000, count)), rng


def moved(table: Annotations, rng: np.random.Generator, missing: float = 0.1) -> Annotations:
    """Another annotator's labels: normal in both axes, sigma² = E[d² / area], some not made."""
    spread = SIGMAS[None, :, None] * np.sqrt(table.areas / 2)[:, None, None]
    keypoints = table.keypoints + rng.normal(0, 1, table.keypoints.shape) * spread
    visibility = np.where(rng.random(table.visibility.shape) < missing, 0, table.visibility)
    return replace(table, keypoints=keypoints, visibility=visibility.astype(np.uint8))


@pytest.mark.parametrize("annotators", [2, 3, 5])
def test_simulated_annotators_are_recovered(make_table: Make, annotators: int) -> None:
    """The true position is in no file; standard errors say how far off the estimate may be."""
    table, rng = simulated(make_table)
    first, *others = (moved(table, rng) for _ in range(annotators))
    estimate = sigmas_of_repeats(first, others)
    assert (np.abs(estimate.sigmas - SIGMAS) < 3 * estimate.errors).all()
    assert (estimate.errors < 0.02 * SIGMAS).all()
    assert estimate.counts[0] > estimate.counts[1] > 2_000


def test_standard_errors_are_those_of_repetition(make_table: Make) -> None:
    table, rng = simulated(make_table, 200)
    repeats = [sigmas_of_repeats(moved(table, rng), [moved(table, rng)]) for _ in range(200)]
    spread = np.std([estimate.sigmas for estimate in repeats], axis=0)
    stated = np.mean([estimate.errors for estimate in repeats], axis=0)
    np.testing.assert_allclose(stated, spread, rtol=0.2)


def test_sigmas_of_residuals_are_robust_to_outliers(make_table: Make, predict: Predict) -> None:
    table, rng = simulated(make_table)
    poses = moved(table, rng, missing=0).keypoints
    estimate = sigmas_of_residuals(replace(predict(table), keypoints=poses), table)
    assert (np.abs(estimate.sigmas - SIGMAS) < 3 * estimate.errors).all()
    poses[rng.random(len(poses)) < 0.02] += 1_000
    wild = sigmas_of_residuals(replace(predict(table), keypoints=poses), table)
    np.testing.assert_allclose(wild.sigmas, estimate.sigmas, rtol=0.03)


def test_people_are_matched_by_their_boxes(make_table: Make) -> None:
    """Other ids, other order, one person less, and a box that overlaps too little."""
    boxes = np.array([[0.0, 0, 10, 20], [100, 0, 10, 20], [200, 0, 10, 20]])
    table = by_hand(make_table, [5, 105, 205], images=[0, 0, 0], boxes=boxes)
    other = by_hand(
        make_table,
        [106, 4, 201],
        images=[0, 0, 0],
        boxes=boxes[[1, 0, 2]] + [[1, 0, 0, 0], [0, 1, 0, 0], [8, 0, 0, 0]],
        annotation_ids=[10, 11, 12],
    )
    assert same_people(table, other, 0.5).tolist() == [1, 0, -1]
    assert sigmas_of_repeats(table, [other]).sigmas[0] == pytest.approx(np.sqrt(0.005))


def test_files_without_a_person_in_common_raise(make_table: Make) -> None:
    table = by_hand(make_table, [0])
    far = replace(table, boxes=table.boxes + 500)
    with pytest.raises(InputError, match="none whose box"):
        sigmas_of_repeats(table, [far])
    with pytest.raises(InputError, match="label the same ones"):
        sigmas_of_repeats(table, [make_table([np.ones((17, 3))], COCO17)])


def write(path: Path, rng: np.random.Generator) -> None:
    """A COCO file of 40 people of a custom skeleton, of whom 5 have a tail."""
    points = np.random.default_rng(3).uniform(100, 110, (40, 2, 2)) + rng.normal(0, 1, (40, 2, 2))
    instances = [
        {
            "id": n + 1,
            "image_id": n + 1,
            "category_id": 1,
            "keypoints": [*points[n, 0], 2, *(points[n, 1] if n < 5 else (0, 0)), 2 * (n < 5)],
            "bbox": [90, 90, 30, 30],
            "area": 400,
            "iscrowd": 0,
        }
        for n in range(40)
    ]
    images = [
        {"id": n + 1, "file_name": f"{n}.jpg", "width": 300, "height": 300} for n in range(40)
    ]
    category = {"id": 1, "name": "fish", "keypoints": ["tip", "tail"], "skeleton": [[1, 2]]}
    path.write_text(
        json.dumps({"images": images, "annotations": instances, "categories": [category]})
    )


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    for name in ("a.json", "b.json"):
        write(tmp_path / name, rng)
    points = np.full((40, 2, 2), 105.0)
    ids = np.arange(1, 41)
    poses = Predictions(ids, ids, points, np.ones((40, 2)), np.ones(40))
    write_predictions(tmp_path / "poses.json", poses)
    words = ["data", "sigmas", str(tmp_path / "a.json"), "--repeated", str(tmp_path / "b.json")]
    words += ["--residuals", str(tmp_path / "poses.json"), "--json", str(tmp_path / "out.json")]
    assert main(words) == 0
    printed = capsys.readouterr()
    tip = next(line.split() for line in printed.out.splitlines() if line.startswith("tip"))
    out = json.loads((tmp_path / "out.json").read_text())
    assert tip == ["tip", f"{out['sigmas'][0]:.4f}", f"{out['errors'][0]:.4f}", "40"]
    assert out["sigmas"][0] == pytest.approx(np.sqrt(2) / 20, rel=0.35)
    assert out["keypoints"] == ["tip", "tail"]
    assert out["counts"] == [40, 5]
    assert out["others"][0]["rule"] == "median residual of predictions"
    assert "fewer than 30 people for tail" in printed.err
    assert "tip" not in printed.err


def test_the_command_needs_repeated_annotations_or_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.json", np.random.default_rng(1))
    assert main(["data", "sigmas", str(tmp_path / "a.json")]) == 1
    assert "--repeated" in capsys.readouterr().err
