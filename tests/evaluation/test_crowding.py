"""Crowding counted by hand, and against the index that CrowdPose records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselab.annotations import Annotations, open_annotations
from poselab.evaluation.metrics.crowding import (
    CrowdPoseEvaluator,
    crowd_index,
    overlaps,
    recorded_crowd_index,
)
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions, read_predictions
from poselab.skeletons import CROWDPOSE14

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]


def standing_at(x: float, labelled: int, inside_next: int = 0) -> np.ndarray:
    """A person whose joints stand at x, the first few of them 60 pixels to the right."""
    points = np.zeros((14, 3))
    points[:labelled] = [x, 50.0, 2.0]
    points[:inside_next, 0] += 60.0
    return points


def test_crowd_index_by_hand(make_table: Make) -> None:
    """Boxes of width 20 at 40 and 100. Of A's 10 joints 5 stand in B's box, of B's 8 none in A's;
    C has too few joints to be averaged, but all 3 of them stand in A's box: (3/10 + 5/8) / 2."""
    table = make_table(
        [standing_at(50, 10, inside_next=5), standing_at(110, 8), standing_at(55, 3)],
        CROWDPOSE14,
        images=[0, 0, 0],
        boxes=[[40, 0, 20, 100], [100, 0, 20, 100], [0, 0, 300, 300]],
    )
    assert crowd_index(table).tolist() == [pytest.approx((3 / 10 + 5 / 8) / 2)]


def test_an_image_of_one_or_none_is_not_crowded(make_table: Make) -> None:
    table = make_table([standing_at(50, 14)], CROWDPOSE14, empty=[7])
    assert crowd_index(table).tolist() == [0, 0]
    assert overlaps(table).tolist() == [0]


def test_overlap_is_the_greatest_with_another_person_of_the_image(make_table: Make) -> None:
    table = make_table(
        [standing_at(5, 14)] * 5,
        CROWDPOSE14,
        images=[0, 0, 0, 0, 1],
        boxes=[[0, 0, 10, 10], [5, 0, 10, 10], [8, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]],
        crowd=[False, False, False, True, False],
    )
    np.testing.assert_allclose(overlaps(table), [50 / 150, 70 / 130, 70 / 130, 0, 0])


@pytest.mark.parametrize(
    "name", ["oks-cases/crowdpose_example/gt.json", "samples/crowdpose/test_crowdpose.json"]
)
def test_a_recorded_crowd_index_is_used(shared_data: Callable[[str], Path], name: str) -> None:
    """To the two digits of the file, on real images of CrowdPose."""
    table = open_annotations(shared_data(name), cache=False)
    recorded = recorded_crowd_index(table)
    assert recorded is not None
    np.testing.assert_allclose(crowd_index(table), recorded, atol=0.00501)


def test_images_are_split_by_crowd_index(shared_data: Callable[[str], Path]) -> None:
    """Indices .76, .76, .82 and 0: the easy and the hard level are an image each."""
    table = open_annotations(shared_data("oks-cases/crowdpose_example/gt.json"), cache=False)
    found = read_predictions(shared_data("oks-cases/crowdpose_example/predictions.json"))
    values = CrowdPoseEvaluator()(found, table).values
    for level, images in (("easy", [115625]), ("medium", [114203, 104173]), ("hard", [107292])):
        assert values[f"AP/{level}"] == OksEvaluator()(found, table, images).values["AP"], level


def test_without_a_recorded_index_it_is_computed(make_table: Make, predict: Predict) -> None:
    """All poses are right, so levels with images have AP 1; no image is hard."""
    table = make_table(
        [standing_at(50, 14), standing_at(250, 14), standing_at(52, 14)],
        CROWDPOSE14,
        images=[0, 1, 1],
        boxes=[[40, 0, 20, 100], [240, 0, 20, 100], [40, 0, 220, 100]],
    )
    assert crowd_index(table).tolist() == [0, 0.5]
    metrics = CrowdPoseEvaluator()(predict(table), table)
    levels = [metrics.values[f"AP/{level}"] for level in ("easy", "medium", "hard")]
    assert levels == pytest.approx([1, 1, np.nan], nan_ok=True)
    record = metrics.comparability["oks by crowd index"]
    assert record["crowd_index"] == "computed from the labels"


def test_an_incomplete_record_is_ignored(tmp_path: Path) -> None:
    person = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 5, 2] * 14}
    person |= {"bbox": [0, 0, 9, 9], "iscrowd": 0, "num_keypoints": 14}
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9} for n in (1, 2)]
    images[0]["crowdIndex"] = 0.3
    names = list(CROWDPOSE14.keypoints)
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": []}
    file = tmp_path / "ground_truth.json"
    whole = {"images": images, "annotations": [person], "categories": [category]}
    file.write_text(json.dumps(whole))
    assert recorded_crowd_index(open_annotations(file, cache=False)) is None
    images[1]["crowdIndex"] = 1
    file.write_text(json.dumps(whole))
    recorded = recorded_crowd_index(open_annotations(file, cache=False))
    assert recorded is not None
    assert recorded.tolist() == [0.3, 1]
