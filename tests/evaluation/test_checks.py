"""Predictions that cannot be scored raise; questionable ones give warnings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.predictions import Predictions
from poselab.evaluation.validation.checks import validate_predictions
from poselab.skeletons import CROWDPOSE14, WHOLEBODY133
from poselab.structures import InputError

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]


@pytest.fixture
def table(make_table: Make) -> Annotations:
    points = np.full((20, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(0, 400, (20, 17, 2))
    return make_table(points)


@pytest.fixture
def good(predict: Predict) -> Callable[..., Predictions]:
    """Poses of a table with noise of about two pixels, plus ``shift``, and scores that differ."""

    def make(table: Annotations, shift: Any = 0.0) -> Predictions:
        noise = np.random.default_rng(1).normal(0, 2, table.keypoints.shape)
        scores = np.random.default_rng(2).uniform(0, 1, table.num_instances)
        return dataclasses.replace(predict(table, noise + np.asarray(shift)), scores=scores)

    return make


def boxes_of(table: Annotations, grown: float = 10.0) -> Any:
    """Boxes around all keypoints, x y w h."""
    low, high = table.keypoints.min(axis=1) - grown, table.keypoints.max(axis=1) + grown
    return np.concatenate([low, high - low], axis=1)


def as_corners(boxes: Any) -> Any:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def test_good_predictions_raise_no_warning(table: Annotations, good: Predict) -> None:
    """With boxes and crowds of poses too."""
    table = dataclasses.replace(table, boxes=boxes_of(table))
    found = dataclasses.replace(good(table), boxes=boxes_of(table))
    assert validate_predictions(found, table) == []
    assert validate_predictions(found, table, ranked_by_oks=False) == []
    many = found.take(np.repeat(np.arange(20), 20))
    strays = np.random.default_rng(3).uniform(0, 400, many.keypoints.shape)
    strays[::20] = many.keypoints[::20]
    assert validate_predictions(dataclasses.replace(many, keypoints=strays), table) == []


def test_repeated_poses_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    rows = np.r_[0:20, 3, 7, 3]
    again = found.take(rows)
    (warning,) = validate_predictions(again, table)
    assert warning.startswith("3 poses repeat another one of their image exactly")
    assert validate_predictions(again, table, ranked_by_oks=False) == []
    # One keypoint moved, or another image: nothing is repeated.
    keypoints = again.keypoints.copy()
    keypoints[20:, 8] += np.arange(1, 4)[:, None]
    assert validate_predictions(dataclasses.replace(again, keypoints=keypoints), table) == []
    elsewhere = np.where(np.arange(23) < 20, again.image_ids, again.image_ids[0])
    elsewhere[21:] = again.image_ids[1:3]
    assert validate_predictions(dataclasses.replace(again, image_ids=elsewhere), table) == []


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_one_based_pixels_warn(table: Annotations, good: Predict, shift: float) -> None:
    noiseless = dataclasses.replace(good(table), keypoints=table.keypoints + shift)
    (warning,) = validate_predictions(noiseless, table)
    assert f"{shift:+.2f}"[:2] in warning
    assert "shifted by one pixel" in warning


@pytest.mark.parametrize("shift", [[1.0, -1.0], [1.0, 0.0], [2.0, 2.0], [0.5, 0.5]])
def test_other_shifts_do_not_warn(table: Annotations, good: Predict, shift: list[float]) -> None:
    assert validate_predictions(good(table, shift), table) == []


def test_swapped_axes_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    swapped = dataclasses.replace(found, keypoints=found.keypoints[..., ::-1])
    (warning,) = validate_predictions(swapped, table)
    assert "x and y swapped" in warning


def test_swapped_sides_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    order = list(table.skeleton.flip_index)
    (warning,) = validate_predictions(
        dataclasses.replace(found, keypoints=found.keypoints[:, order]), table
    )
    assert "left and right swapped" in warning


def test_normalised_coordinates_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    (warning,) = validate_predictions(
        dataclasses.replace(found, keypoints=found.keypoints / 500), table
    )
    assert "fractions of the image's width and height" in warning


def test_keypoints_far_outside_the_image_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    keypoints = found.keypoints.copy()
    keypoints[:, :1] += 1000
    (warning,) = validate_predictions(dataclasses.replace(found, keypoints=keypoints), table)
    assert "6 % of the keypoints lie more than half an image outside" in warning
    unknown = dataclasses.replace(table, sizes=np.zeros_like(table.sizes))
    assert validate_predictions(dataclasses.replace(found, keypoints=keypoints), unknown) == []


def test_boxes_given_by_two_corners_warn(table: Annotations, good: Predict) -> None:
    moved = dataclasses.replace(table, keypoints=table.keypoints * 0.4 + 150)
    boxes = boxes_of(moved)
    moved = dataclasses.replace(moved, boxes=boxes)
    found = dataclasses.replace(good(moved), boxes=as_corners(boxes))
    (warning,) = validate_predictions(found, moved)
    assert warning.startswith("the predictions' bbox fits")
    cornered = dataclasses.replace(moved, boxes=as_corners(boxes))
    (warning,) = validate_predictions(dataclasses.replace(found, boxes=boxes), cornered)
    assert warning.startswith("the annotations' bbox fits")


def test_equal_or_reversed_scores_warn(make_table: Make, good: Predict) -> None:
    points = np.full((60, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(0, 400, (60, 17, 2))
    table = make_table(points)
    amount = np.linspace(1, 60, 60)
    found = good(table)
    away = table.keypoints + amount[:, None, None] * np.random.default_rng(4).normal(
        0, 1, table.keypoints.shape
    )
    losses = dataclasses.replace(found, keypoints=away, scores=amount / 60)
    (warning,) = validate_predictions(losses, table)
    assert "greater scores fit worse" in warning
    assert validate_predictions(dataclasses.replace(losses, scores=1 - losses.scores), table) == []
    (warning,) = validate_predictions(dataclasses.replace(found, scores=np.full(60, 0.5)), table)
    assert "all 60 scores are 0.5" in warning
    assert (
        validate_predictions(
            dataclasses.replace(found, scores=np.full(60, 0.5)), table, ranked_by_oks=False
        )
        == []
    )


def test_scores_outside_0_to_1_missing_areas_and_no_predictions_warn(
    table: Annotations, good: Predict
) -> None:
    loud = dataclasses.replace(good(table), scores=np.linspace(0, 3, 20))
    assert "outside [0, 1]" in validate_predictions(loud, table)[0]
    flat = dataclasses.replace(table, areas=np.zeros(20))
    (warning,) = validate_predictions(good(table), flat)
    assert "20 of 20 labelled people have area 0" in warning
    assert validate_predictions(good(table).take(np.array([], int)), table) == [
        "there are no predictions"
    ]


def test_derived_areas_and_guessed_sigmas_warn(table: Annotations, good: Predict) -> None:
    (warning,) = validate_predictions(good(table), dataclasses.replace(table, area_rule="0.53 box"))
    assert "the annotations lack areas" in warning
    nameless = dataclasses.replace(table.skeleton, name="custom17", sigmas=None)
    (warning,) = validate_predictions(good(table), dataclasses.replace(table, skeleton=nameless))
    assert "no published sigmas for custom17, so OKS uses 0.05" in warning
    poor = dataclasses.replace(table, skeleton=nameless, area_rule="0.53 box")
    assert validate_predictions(good(table), poor, ranked_by_oks=False) == []


def test_crowds_without_a_box_warn(table: Annotations, good: Predict) -> None:
    crowd, boxes = np.zeros(20, bool), boxes_of(table)
    crowd[:3], boxes[2:5] = True, 0.0
    (warning,) = validate_predictions(
        good(table), dataclasses.replace(table, crowd=crowd, boxes=boxes)
    )
    assert warning.startswith("1 crowds or people without keypoints have no box")


def test_derived_areas_of_crowdpose_do_not_warn(make_table: Make, good: Predict) -> None:
    points = np.full((20, 14, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(0, 400, (20, 14, 2))
    table = make_table(points, CROWDPOSE14)
    assert validate_predictions(good(table), dataclasses.replace(table, area_rule="0.53 box")) == []


def test_images_with_too_many_poses_or_none_warn(table: Annotations, good: Predict) -> None:
    found = good(table)
    crowd = found.take(np.r_[np.zeros(22, int), 1:20])
    crowd.keypoints[:22, 0] += np.arange(22)[:, None]
    (warning,) = validate_predictions(crowd, table)
    assert "AP drops 2 poses, those beyond the best 20" in warning
    (warning,) = validate_predictions(found.take(np.arange(17)), table)
    assert "3 of 20 images with labelled people have no prediction" in warning


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["keypoints", "keypoint_scores", "scores"])
def test_numbers_that_are_not_finite_raise(
    table: Annotations, predict: Predict, column: str, bad: float
) -> None:
    found = predict(table)
    values = getattr(found, column).copy()
    values.flat[3] = bad
    with pytest.raises(InputError, match="expected finite"):
        validate_predictions(dataclasses.replace(found, **{column: values}), table)


def test_unknown_images_and_other_skeletons_raise(table: Annotations, predict: Predict) -> None:
    found = predict(table)
    with pytest.raises(InputError, match="20 others such as 1000"):
        validate_predictions(dataclasses.replace(found, image_ids=found.image_ids + 1000), table)
    fewer = dataclasses.replace(found, keypoints=found.keypoints[:, :14])
    with pytest.raises(InputError, match=r"expected 17 keypoints \(coco17\), got 14"):
        validate_predictions(fewer, table)


def test_the_error_suggests_to_read_whole_body_annotations_as_coco(
    make_table: Make, predict: Predict
) -> None:
    whole = make_table(np.full((1, 133, 3), 2.0), WHOLEBODY133)
    found = dataclasses.replace(predict(whole), keypoints=np.ones((1, 17, 2)))
    with pytest.raises(InputError, match="layout coco reads these annotations as COCO's 17"):
        validate_predictions(found, dataclasses.replace(whole, layout="coco_wholebody"))
