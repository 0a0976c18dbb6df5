"""Annotated boxes that end in the image, by the rules of the authors' code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from poselab.annotations import Annotations, open_annotations
from poselab.data import PersonCrop
from poselab.evaluation.comparability import differences_from
from poselab.structures import InputError

WIDTH, HEIGHT = 100, 80
KEYPOINTS = [10, 10, 2] * 17
BOXES = {  # inside; over the right and lower border; over the left one; outside
    1: [10, 20, 30, 40],
    2: [90, 70, 30, 40],
    3: [-5, 10, 20, 30],
    4: [120, 10, 20, 30],
}


def annotations(folder: Path, area: float = 500.0) -> Annotations:
    people = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": box, "area": area}
        | {"keypoints": KEYPOINTS, "num_keypoints": 17}
        for i, box in BOXES.items()
    ]
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": WIDTH, "height": HEIGHT}],
        "annotations": people,
        "categories": [{"id": 1, "name": "person"}],
    }
    file = folder / "labels.json"
    file.write_text(json.dumps(content))
    return open_annotations(file)


@pytest.mark.parametrize(
    ("rule", "boxes"),
    [
        (None, list(BOXES.values())),
        ("hrnet", [[10, 20, 29, 39], [90, 70, 9, 9], [0, 10, 19, 29]]),
        ("dark", [[10, 20, 30, 40], [90, 70, 10, 10], [0, 10, 20, 30]]),
        ("mmpose", [[10, 20, 30, 40], [90, 70, 9, 9], [0, 10, 15, 30]]),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_boxes_by_hand(
    rule: str | None, boxes: list[list[int]], training: bool, tmp_path: Path
) -> None:
    items = PersonCrop((256, 192), clip=rule).items(annotations(tmp_path), training)
    np.testing.assert_array_equal(items.boxes, boxes)
    assert len(items.person) == len(items.image) == len(items.scores) == len(boxes)


def test_people_without_a_segmented_area_are_left_out_where_the_authors_do(tmp_path: Path) -> None:
    table = annotations(tmp_path, area=0.0)
    assert len(PersonCrop((256, 192), clip="mmpose").items(table, training=False).person) == 3
    with pytest.raises(InputError, match=r"framing.clip=hrnet"):
        PersonCrop((256, 192), clip="hrnet").items(table, training=False)


def test_unknown_rules_are_input_errors() -> None:
    with pytest.raises(InputError, match=r"framing\.clip"):
        PersonCrop((256, 192), clip="image")


def test_the_record_carries_the_rule() -> None:
    plain, clipped = (
        {"metric": "oks", "run": PersonCrop((256, 192), clip=rule).comparability()}
        for rule in (None, "hrnet")
    )
    (difference,) = differences_from(plain, clipped)
    assert difference.reason == "boxes: ground truth, clipped by the rule hrnet vs. ground truth"
    assert not differences_from(clipped, clipped)
