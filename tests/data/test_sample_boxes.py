"""The boxes of a sample's people lie where the labels say, through every motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poselab import geometry
from poselab.data import Augment, PersonCrop, PoseDataset, WholeImage
from poselab.datasets.base import Split
from poselab.structures import Sample

UNCHANGED = Augment(flip=0, scale=0, degrees=0)
FLIPPED = replace(UNCHANGED, flip=1.0)


def in_image(sample: Sample) -> np.ndarray:
    """The upright boxes (P, 4) around the sample's boxes in image pixels."""
    low, size = sample.boxes[:, None, :2], sample.boxes[:, None, 2:]
    corners = np.concatenate([low, low + size], axis=1)
    moved = geometry.apply(sample.frame.to_image, corners)
    least, most = moved.min(axis=1), moved.max(axis=1)
    return np.concatenate([least, most - least], axis=1)


@pytest.mark.parametrize("augment", [UNCHANGED, FLIPPED], ids=["unchanged", "flipped"])
@pytest.mark.parametrize("framing", [PersonCrop((128, 96)), WholeImage((96, 160), max_instances=6)])
def test_boxes_go_back_to_the_labels(split: Split, framing: PersonCrop, augment: Augment) -> None:
    samples, table = PoseDataset(split, framing, augment), split.annotations
    for index in range(4):
        image, person = (int(rows[index]) for rows in samples.items[:2])
        expected = table.boxes[[person] if person >= 0 else table.rows(image)]
        found = in_image(samples[(0, index)])[: len(expected)]
        np.testing.assert_allclose(found, expected, atol=1e-3)
        assert not samples[(0, index)].boxes[len(expected) :].any()


def test_a_turned_box_holds_its_corners(split: Split) -> None:
    turned = replace(UNCHANGED, degrees=90.0, rotate=1.0)
    sample = PoseDataset(split, WholeImage((128, 128), max_instances=6), turned)[(0, 0)]
    rows = split.annotations.rows(0)
    x, y, w, h = split.annotations.boxes[rows[0]]
    to_input = geometry.invert(sample.frame.to_image.astype(float))
    corners = geometry.apply(to_input, np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]))
    assert abs(to_input[0, 1]) > 0.01, "it is turned"
    low, high = corners.min(axis=0), corners.max(axis=0)
    np.testing.assert_allclose(sample.boxes[0], [*low, *(high - low)], atol=1e-3)


def test_people_without_keypoints_come_last_and_have_a_box(split: Split) -> None:
    table = split.annotations
    image = int(np.flatnonzero(np.diff(table.first_person) >= 2)[0])
    rows = np.array(table.rows(image))
    visibility = np.array(table.visibility)
    visibility[rows[0]] = 0
    bare = replace(split, annotations=replace(table, visibility=visibility))
    for most in (8, len(rows) - 1):  # where not all fit, it is them who fall
        samples = PoseDataset(bare, WholeImage((128, 128), max_instances=most))
        sample = samples[image]
        expected = np.append(rows[1:], rows[0])[:most]
        np.testing.assert_allclose(
            in_image(sample)[: len(expected)], table.boxes[expected], atol=1e-3
        )
        assert (sample.visibility[: len(rows) - 1] > 0).any()
        assert not sample.visibility[len(rows) - 1 :].any()
