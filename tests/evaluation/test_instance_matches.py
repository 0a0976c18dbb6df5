"""Which pose is matched to which person: by hand, and by COCO's own matching as the reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.matching.instances import match_by_best_oks
from poselab.evaluation.metrics.pck import PckEvaluator
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17, MPII16
from poselab.structures import InputError

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]
HEAD = [0.0, 0.0, 60.0, 80.0]  # diagonal 100, head size 60: 0.5 of it is 30 pixels


def standing_at(x: list[float], make_table: Make, **columns: Any) -> Annotations:
    """People of one image (unless ``columns`` differ) whose joints all lie at (x, 50)."""
    points = np.full((len(x), 17, 3), 2.0)
    points[..., 0], points[..., 1] = np.array(x)[:, None], 50.0
    columns = {"images": [0] * len(x), "head_boxes": [HEAD] * len(x)} | columns
    return make_table(points, COCO17, **columns)


def poses_at(x: list[float], scores: list[float], images: list[int] | None = None) -> Predictions:
    """Poses without annotation ids whose joints all lie at (x, 50)."""
    keypoints = np.full((len(x), 17, 2), 50.0)
    keypoints[..., 0] = np.array(x)[:, None]
    without_ids = np.full(len(x), -1)
    places = np.array([0] * len(x) if images is None else images)
    return Predictions(places, without_ids, keypoints, np.ones((len(x), 17)), np.array(scores))


def test_the_best_scoring_pose_takes_the_most_similar_person(make_table: Make) -> None:
    """Poses at 130 (0.9) and 101 (0.5): the first takes 140, the second what is left, 100."""
    table = standing_at([100, 140], make_table)
    assert match_by_best_oks(poses_at([130, 101], [0.9, 0.5]), table).tolist() == [1, 0]
    # At 110 the better pose takes 100, so that the exact one must do with 140.
    assert match_by_best_oks(poses_at([100, 110], [0.5, 0.9]), table).tolist() == [1, 0]


def test_equal_scores_go_by_row_and_equal_similarity_to_the_later_person(make_table: Make) -> None:
    table = standing_at([100, 140], make_table)
    assert match_by_best_oks(poses_at([120, 120], [0.5, 0.5]), table).tolist() == [1, 0]


def test_surplus_poses_and_people_stay_unmatched(make_table: Make) -> None:
    table = standing_at([100, 140], make_table)
    assert match_by_best_oks(poses_at([100], [1]), table).tolist() == [0, -1]
    assert match_by_best_oks(poses_at([150, 140, 100], [0.1, 0.9, 0.8]), table).tolist() == [2, 1]
    assert match_by_best_oks(poses_at([1e6], [1]), table).tolist() == [
        -1,
        -1,
    ]  # OKS 0 is no match


def test_poses_match_only_scorable_people_of_their_image(make_table: Make) -> None:
    """Three people of image 0 at one place: a crowd, one not labelled, one to find."""
    table = standing_at(
        [100, 100, 100, 100], make_table, images=[0, 0, 0, 7], crowd=[True, False, False, False]
    )
    visibility = table.visibility.copy()
    visibility[1] = 0
    table = dataclasses.replace(table, visibility=visibility)
    found = poses_at([100, 100, 101], [0.9, 0.8, 0.7], [0, 0, 7])
    assert match_by_best_oks(found, table).tolist() == [-1, -1, 0, 2]
    with pytest.raises(
        InputError, match=r"expected image ids of ground_truth.json, got 1 others .* 5"
    ):
        match_by_best_oks(poses_at([100], [1], [5]), table)


def test_a_person_without_head_box_still_takes_a_pose(make_table: Make) -> None:
    """The person without head box takes the exact pose, which would be right for the other one."""
    table = standing_at([100, 130], make_table, head_boxes=[[0.0] * 4, HEAD])
    metrics = PckhEvaluator(match="best_oks")(poses_at([100], [1]), table)
    assert metrics.values["PCKh@0.5"] == 0
    assert (
        metrics.comparability["instances"],
        metrics.comparability["instances_without_prediction"],
    ) == (1, 1)


def test_pckh_by_hand(make_table: Make) -> None:
    """One at 30 pixels is right at 0.5 alone, one exact at all, one unmatched at none."""
    table = standing_at([100, 300, 480], make_table)
    found = poses_at([130, 300], [0.3, 0.2])
    metrics = PckhEvaluator(match="best_oks")(found, table)
    values = [metrics.values[f"PCKh@{t}"] for t in ("0.5", "0.1", "0.11")]
    assert values == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert metrics.comparability["instances_without_prediction"] == 1
    with pytest.raises(InputError, match="--match best_oks"):
        PckhEvaluator()(found, table)


def test_the_rule_is_part_of_the_comparability_record(make_table: Make, predict: Predict) -> None:
    """Perfect predictions score 1 by either rule, but their comparability records differ."""
    points = np.full((6, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (6, 17, 2))
    table = make_table(points, images=[0, 0, 0, 1, 1, 2], head_boxes=[HEAD] * 6)
    for kind in (PckhEvaluator, PckEvaluator):
        named, likest = kind()(predict(table), table), kind(match="best_oks")(predict(table), table)
        assert named.values == likest.values
        assert named.values[kind.primary_metric] == 1
        assert named.comparability["match"] == "annotation_id"
        assert likest.comparability["match"] == "best_oks"
        assert likest.comparability["sigmas"] == list(COCO17.oks_sigmas)
        assert likest.comparability["area"] == table.area_rule
        with pytest.raises(InputError, match="annotation_id or best_oks, got 'nearest'"):
            kind(match="nearest")


def test_best_oks_ignores_swapped_annotation_ids(make_table: Make, predict: Predict) -> None:
    points = np.full((2, 16, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(100, 400, (2, 16, 2))
    table = make_table(points, MPII16, images=[0, 0], head_boxes=[HEAD] * 2)
    found = predict(table)
    swapped = dataclasses.replace(found, annotation_ids=found.annotation_ids[::-1])
    assert PckhEvaluator()(swapped, table).values["PCKh@0.5"] < 0.5
    assert PckhEvaluator(match="best_oks")(swapped, table).values["PCKh@0.5"] == 1


@pytest.mark.parametrize("match", ["annotation_id", "best_oks"])
def test_without_predictions_every_joint_is_wrong(make_table: Make, match: str) -> None:
    """A bottom-up method may predict no pose before its first epoch; its file has no keypoints."""
    table = standing_at([100, 140], make_table)
    none = np.empty(0, dtype=np.int64)
    empty = Predictions(none, none, np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0))
    assert PckhEvaluator(match=match)(empty, table).values["PCKh@0.5"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_coco_matches_the_same_pairs(make_table: Make, seed: int) -> None:
    """pycocotools at a threshold just above 0 (it caps detections at 20; there are fewer here)."""
    rng = np.random.default_rng(seed)
    images = np.sort(rng.integers(0, 6, 24))
    points = np.full((24, 17, 3), 2.0)
    points[..., :2] = rng.uniform(0, 200, (24, 1, 2)) + rng.uniform(0, 80, (24, 17, 2))
    points[..., 2] = rng.integers(0, 3, (24, 17))
    table = make_table(points, images=images, areas=rng.uniform(2000, 9000, 24))
    rows = rng.integers(0, 24, 40)
    keypoints = table.keypoints[rows] + rng.normal(0, 15, (40, 17, 2))
    scores = rng.integers(0, 8, 40) / 8  # ties among them
    image_ids = table.image_ids[table.image_of()][rows]
    found = Predictions(image_ids, np.full(40, -1), keypoints, np.ones((40, 17)), scores)
    assert match_by_best_oks(found, table).tolist() == matched_by_coco(found, table)


def matched_by_coco(found: Predictions, table: Annotations) -> list[int]:
    """The prediction row of every person, -1 for none, as pycocotools matches them."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    common = {"category_id": 1, "iscrowd": 0, "bbox": [0, 0, 9, 9]}
    instances = [
        common
        | {"id": row + 1, "image_id": int(table.image_ids[image]), "area": table.areas[row]}
        | {"num_keypoints": int((table.visibility[row] > 0).sum())}
        | {"keypoints": np.c_[table.keypoints[row], table.visibility[row]].ravel().tolist()}
        for row, image in enumerate(table.image_of())
    ]
    poses = [
        common
        | {"id": row + 1, "image_id": int(found.image_ids[row]), "score": float(found.scores[row])}
        | {"keypoints": np.c_[found.keypoints[row], np.ones(17)].ravel().tolist(), "area": 1.0}
        for row in range(len(found))
    ]
    sides = []
    for records in (instances, poses):
        side = COCO()
        images = [{"id": int(number)} for number in table.image_ids]
        side.dataset = {"images": images, "categories": [{"id": 1}], "annotations": records}
        side.createIndex()
        sides.append(side)
    evaluation = COCOeval(*sides, iouType="keypoints")
    evaluation.params.iouThrs = np.array([1e-300])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    pose_of = [-1] * len(instances)
    for one in evaluation.evalImgs:
        if one is not None:
            for person, pose in zip(one["gtIds"], one["gtMatches"][0], strict=True):
                pose_of[person - 1] = int(pose) - 1
    return pose_of
