"""Which instances boxes detect, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.diagnosis.undetected import match_boxes
from poselab.skeletons import COCO17


def labelled(boxes: list[list[float]], images: list[int], crowd: list[bool]) -> Annotations:
    """People in images 10, 11, ... with one labelled keypoint each."""
    count, places = len(boxes), max(images) + 1
    visibility = np.zeros((count, 17), dtype=np.uint8)
    visibility[:, 0] = 2
    nothing = np.zeros(0, dtype=np.int64)
    return Annotations(
        skeleton=COCO17,
        source="by hand",
        fingerprint="",
        image_ids=10 + np.arange(places),
        sizes=np.full((places, 2), 100),
        file_names=np.array([b"a"] * places),
        first_person=np.searchsorted(images, np.arange(places + 1)),
        annotation_ids=np.arange(count),
        keypoints=np.zeros((count, 17, 2)),
        visibility=visibility,
        boxes=np.array(boxes),
        areas=np.ones(count),
        crowd=np.array(crowd),
        head_boxes=np.zeros((count, 4)),
        mask_rows=nothing,
        mask_ends=nothing,
        mask_bytes=nothing.astype(np.uint8),
    )


def test_one_box_detects_one_person() -> None:
    """Two people share one box: the better fit gets it, the other is undetected."""
    table = labelled([[0, 0, 10, 10], [2, 0, 10, 10]], [0, 0], [False, False])
    matches = match_boxes(np.array([10]), np.array([[0.0, 0.0, 10.0, 10.0]]), table)
    assert matches.box.tolist() == [0, -1]
    assert matches.undetected.tolist() == [1]
    assert (matches.undetected_rate, matches.mean_iou) == (0.5, 1.0)


def test_the_total_iou_is_maximal() -> None:
    """Both boxes overlap both people; matching greedily would leave one out."""
    table = labelled([[0, 0, 10, 10], [3, 0, 10, 10]], [0, 0], [False, False])
    boxes = np.array([[2.0, 0.0, 10.0, 10.0], [5.0, 0.0, 10.0, 10.0]])
    matches = match_boxes(np.array([10, 10]), boxes, table)
    assert matches.box.tolist() == [0, 1]
    assert matches.iou.tolist() == [pytest.approx(8 / 12), pytest.approx(8 / 12)]


def test_loose_boxes_other_images_and_crowds() -> None:
    boxes = [[0, 0, 10, 10], [50, 50, 10, 10], [0, 0, 10, 10]]
    table = labelled(boxes, [0, 0, 1], [False, True, False])
    given = np.array([[6.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0]])  # IoU 4/16; image 12
    matches = match_boxes(np.array([10, 12]), given, table)
    assert matches.instances.tolist() == [0, 2]
    assert matches.undetected.tolist() == [0, 2]
    assert matches.undetected_rate == 1
    assert np.isnan(matches.mean_iou)
    looser = match_boxes(np.array([10, 12]), given, table, min_iou=0.25)
    assert looser.undetected.tolist() == [2]


def test_no_box_at_all() -> None:
    table = labelled([[0, 0, 10, 10]], [0], [False])
    matches = match_boxes(np.zeros(0, np.int64), np.zeros((0, 4)), table)
    assert matches.undetected.tolist() == [0]
