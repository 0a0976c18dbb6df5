"""Metrics of a subset of people equal those of pycocotools when it ignores all others."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from coco_cases import case
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.breakdown import by_crowding, by_labelled_joints, by_size
from poselab.evaluation.metrics.crowding import CrowdPoseEvaluator, overlaps
from poselab.evaluation.metrics.joints import joint_average_precision
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions
from poselab.geometry import iou

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.predictions import Predictions

SIGMAS = np.linspace(0.03, 0.1, 9).tolist()


class Ignoring(COCOeval):
    """COCO's evaluation that ignores some people and some unmatched poses."""

    instances: set[int]
    poses: set[int]

    def _prepare(self) -> None:
        super()._prepare()
        for group in self._gts.values():
            for person in group:
                person["ignore"] = person["ignore"] or person["id"] not in self.instances

    def evaluateImg(self, *where: Any) -> Any:
        entry = super().evaluateImg(*where)
        if entry is not None:
            outside = np.array([number not in self.poses for number in entry["dtIds"]], dtype=bool)
            entry["dtIgnore"] = entry["dtIgnore"] | ((entry["dtMatches"] == 0) & outside)
        return entry


def ignoring(folder: Path, instances: set[int], poses: set[int], images: Any = None) -> list[float]:
    """AP, AP50, AP75 and AR by pycocotools, poses numbered from 1 in the file's order."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "ground_truth.json"))
        evaluation = Ignoring(coco, coco.loadRes(str(folder / "found.json")), "keypoints")
        evaluation.instances, evaluation.poses = instances, poses
        evaluation.params.kpt_oks_sigmas = np.array(SIGMAS)
        if images is not None:
            evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [np.nan if evaluation.stats[n] == -1 else evaluation.stats[n] for n in (0, 1, 2, 5)]


def opened(
    folder: Path, ground_truth: dict[str, Any], found: list[dict[str, Any]]
) -> tuple[Predictions, Annotations]:
    (folder / "ground_truth.json").write_text(json.dumps(ground_truth))
    (folder / "found.json").write_text(json.dumps(found))
    labels = open_annotations(folder / "ground_truth.json", cache=False)
    return read_predictions(folder / "found.json"), labels


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@pytest.mark.parametrize("seed", range(4))
def test_size_bins_are_apm_and_apl(tmp_path: Path, seed: int, engine: str) -> None:
    evaluator = OksEvaluator(engine, sigmas=SIGMAS)
    files = opened(tmp_path, *case(seed, 9))
    sizes, values = by_size(evaluator, *files), evaluator(*files).values
    np.testing.assert_array_equal(sizes.ap[1:], [values["APM"], values["APL"]])
    np.testing.assert_array_equal(sizes.ar[1:], [values["ARM"], values["ARL"]])
    assert sizes.bins == ("small", "medium", "large")


def most_like(found: dict[str, Any], instances: list[dict[str, Any]]) -> int:
    """The id of the person of greatest OKS, written out for one pose; 0 for none."""
    best, chosen = 0.0, 0
    for person in instances:
        points = np.reshape(person["keypoints"], (-1, 3))
        seen = points[:, 2] > 0
        if person["image_id"] != found["image_id"] or person["iscrowd"] or not seen.any():
            continue
        squared = ((np.reshape(found["keypoints"], (-1, 3)) - points)[:, :2] ** 2).sum(axis=1)
        value = np.exp(-squared / (8 * np.square(SIGMAS) * person["area"]))[seen].mean()
        if value > best:
            best, chosen = value, person["id"]
    return chosen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("what", ["joints", "crowding"])
def test_other_bins_equal_pycocotools(tmp_path: Path, what: str, seed: int) -> None:
    ground_truth, found = case(seed, 9)
    files = opened(tmp_path, ground_truth, found)
    evaluator = OksEvaluator(sigmas=SIGMAS)
    if what == "joints":
        edges: tuple[float, ...] = (1, 5, 7)
        result = by_labelled_joints(evaluator, *files, edges=edges)
        numbers = {p["id"]: float(p["num_keypoints"]) for p in ground_truth["annotations"]}
    else:
        edges = (0.0, 0.1, 0.3)
        result = by_crowding(evaluator, *files, edges=edges)
        numbers = dict(
            zip(files[1].annotation_ids.tolist(), overlaps(files[1]).tolist(), strict=True)
        )
    names = ("1 to 4", "5 to 6", "7 and more")
    assert result.bins == (
        names if what == "joints" else ("0 to 0.1", "0.1 to 0.3", "0.3 and more")
    )
    like = [most_like(one, ground_truth["annotations"]) for one in found]
    for n, (low, high) in enumerate(zip(edges, [*edges[1:], np.inf], strict=True)):
        inside = {number for number, value in numbers.items() if low <= value < high}
        poses = {row + 1 for row, who in enumerate(like) if who == 0 or who in inside}
        ours = [column[n] for column in (result.ap, result.ap50, result.ap75, result.ar)]
        np.testing.assert_array_equal(ours, ignoring(tmp_path, inside, poses))


@pytest.mark.parametrize("seed", range(3))
def test_ap_of_one_joint_equals_pycocotools_on_its_labels(tmp_path: Path, seed: int) -> None:
    ground_truth, found = case(seed, 9)
    ours = joint_average_precision(
        OksEvaluator(sigmas=SIGMAS), *opened(tmp_path, ground_truth, found)
    )
    poses = set(range(1, len(found) + 1))
    for joint in (0, 4, 8):
        instances = json.loads(json.dumps(ground_truth["annotations"]))
        for person in instances:
            flags = person["keypoints"][2::3]
            person["keypoints"][2::3] = [f if k == joint else 0 for k, f in enumerate(flags)]
            person["num_keypoints"] = int(flags[joint] > 0)
        opened(tmp_path, ground_truth | {"annotations": instances}, found)
        everybody = {person["id"] for person in instances}
        assert ours[joint] == ignoring(tmp_path, everybody, poses)[0]


@pytest.mark.parametrize("seed", range(3))
def test_crowd_levels_equal_pycocotools_on_their_images(tmp_path: Path, seed: int) -> None:
    ground_truth, found = case(seed, 9)
    rng = np.random.default_rng(seed)
    for image in ground_truth["images"]:
        image["crowdIndex"] = float(rng.choice([0.0, 0.19, 0.2, 0.5, 0.79, 0.8, 1.4]))
    files = opened(tmp_path, ground_truth, found)
    metrics = CrowdPoseEvaluator(OksEvaluator(sigmas=SIGMAS))(*files)
    everybody = {person["id"] for person in ground_truth["annotations"]}
    poses = set(range(1, len(found) + 1))
    for name, low, high in (("easy", -1, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 9)):
        images = [i["id"] for i in ground_truth["images"] if low <= i["crowdIndex"] < high]
        expected = ignoring(tmp_path, everybody, poses, images)[0] if images else np.nan
        np.testing.assert_array_equal(metrics.values[f"AP/{name}"], expected)
    assert metrics.comparability["oks by crowd index"]["crowd_index"] == "recorded"


def test_box_ious_by_hand() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 0, 0]])
    expected = [[1, 50 / 150, 0], [50 / 150, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(iou(boxes, boxes), expected)
