"""Boxes without a network: jitter has the given IoU, rules keep the boxes they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poselab import geometry
from poselab.data.boxes import labelled_instances
from poselab.datasets.base import Split
from poselab.detection import BoxFilter, DetectedBoxes, run_detector
from poselab.detection.box_jitter import drop_random_rows, jitter_boxes
from poselab.detection.given_boxes import ground_truth, jittered
from poselab.evaluation.diagnosis.undetected import match_boxes
from poselab.structures import InputError

ALL = BoxFilter(threshold=0.0, nms=None, max_boxes=1000)


@pytest.mark.parametrize("iou", [0.05, 0.5, 0.7, 0.95, 1.0])
def test_every_box_is_jittered_to_that_iou(iou: float) -> None:
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.normal(0, 100, (500, 2)), rng.uniform(3, 300, (500, 2))], axis=1)
    moved = jitter_boxes(boxes, iou, rng)
    overlaps = np.diagonal(geometry.iou(boxes, moved))
    assert overlaps == pytest.approx(np.full(500, iou), abs=1e-9)
    if iou < 1:
        shift = (moved[:, :2] + moved[:, 2:] / 2 - boxes[:, :2] - boxes[:, 2:] / 2) / boxes[:, 2:]
        growth = np.log(moved[:, 2:] / boxes[:, 2:])
        for motion in (*shift.T, *growth.T):  # to both sides, larger and smaller
            assert 0.35 < (motion > 0).mean() < 0.65


def test_an_exact_share_is_left_out() -> None:
    kept = drop_random_rows(1000, 0.237, np.random.default_rng(0))
    assert len(np.unique(kept)) == len(kept) == 763
    assert kept.tolist() != list(range(763))


def test_jitter_does_not_depend_on_the_batch_size(val: Split) -> None:
    table = val.annotations
    detector = jittered(table=table, device="cpu", iou=0.7, miss=0.2, seed=3)
    found = run_detector(detector, val, ALL, batch_size=5)
    count = len(labelled_instances(table).person)
    assert len(found.scores) == count - round(0.2 * count)
    measured = match_boxes(found.image_ids, found.boxes, table)
    assert measured.mean_iou == pytest.approx(0.7, abs=1e-9)
    assert measured.undetected_rate == pytest.approx(round(0.2 * count) / count)
    again = run_detector(jittered(table=table, device="cpu", iou=0.7, miss=0.2, seed=3), val, ALL)
    other = run_detector(jittered(table=table, device="cpu", iou=0.7, miss=0.2, seed=4), val, ALL)
    assert found.boxes.tolist() == again.boxes.tolist()
    assert found.boxes.tolist() != other.boxes.tolist()


def test_ground_truth_boxes_are_the_annotated_ones(val: Split) -> None:
    found = run_detector(ground_truth(table=val.annotations, device="cpu"), val, ALL, batch_size=3)
    instances = labelled_instances(val.annotations)
    assert found.image_ids.tolist() == val.annotations.image_ids[instances.image].tolist()
    assert found.boxes.tolist() == instances.boxes.tolist()


def test_ground_truth_boxes_need_annotations(val: Split) -> None:
    nobody = replace(val.annotations.select(np.zeros(0, dtype=np.int64)))
    with pytest.raises(InputError, match="--annotations"):
        ground_truth(table=nobody, device="cpu")
    for wrong in ({"iou": 0.0}, {"iou": 1.2}, {"miss": 1.0}, {"miss": -0.1}):
        with pytest.raises(InputError, match="expected a"):
            jittered(table=val.annotations, device="cpu", **wrong)  # type: ignore[arg-type]


def test_box_filter_by_hand() -> None:
    """Boxes ten wide at 0, 2 and 20: the first two share 8 of 12; one has no width."""
    boxes = np.array(
        [[2.0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 10, 10], [40, 0, 0, 5], [9, 9, 9, 9]]
    )
    found = DetectedBoxes(boxes, np.array([0.8, 0.9, 0.3, 0.99, 0.01]))

    def left(**rules: float | None) -> list[float]:
        return BoxFilter(**{"threshold": 0.05, **rules})(found).scores.tolist()  # type: ignore[arg-type]

    assert left(nms=0.66) == [0.9, 0.3]
    assert left(nms=0.67) == [0.9, 0.8, 0.3]
    assert left(nms=None, threshold=0.0) == [0.9, 0.8, 0.3, 0.01]
    assert left(nms=None, max_boxes=2) == [0.9, 0.8]
    assert left(nms=0.5, threshold=0.5) == [0.9]
    with pytest.raises(InputError, match="from 0 to 1"):
        BoxFilter(nms=1.5)
