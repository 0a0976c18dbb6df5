"""Predictions that cannot be scored are refused; doubtful ones are warned about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.predictions import Predictions, check
from poselab.structures import InputError

Make = Callable[..., Annotations]
Answer = Callable[..., Predictions]


@pytest.fixture
def table(make_table: Make) -> Annotations:
    points = np.full((20, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(0, 400, (20, 17, 2))
    return make_table(points)


def noise(scale: float) -> Any:
    return np.random.default_rng(1).normal(0, scale, (20, 17, 2))


def test_good_predictions_pass(table: Annotations, answer: Answer) -> None:
    assert check(answer(table, noise(2)), table) == []


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_one_based_pixels_are_suspected(table: Annotations, answer: Answer, shift: float) -> None:
    (warning,) = check(answer(table, noise(1) + shift), table)
    assert f"{shift:+.2f}"[:2] in warning
    assert "shifted by one pixel" in warning


@pytest.mark.parametrize("shift", [[1.0, -1.0], [1.0, 0.0], [2.0, 2.0], [0.5, 0.5]])
def test_other_shifts_are_not(table: Annotations, answer: Answer, shift: list[float]) -> None:
    assert check(answer(table, noise(1) + shift), table) == []


def test_doubtful_numbers_are_named(table: Annotations, answer: Answer) -> None:
    loud = dataclasses.replace(answer(table), scores=np.linspace(0, 3, 20))
    assert "outside [0, 1]" in check(loud, table)[0]
    flat = dataclasses.replace(table, areas=np.zeros(20))
    assert "20 labelled people have no area" in check(answer(table), flat)[0]
    assert check(answer(table).take(np.array([], int)), table) == ["there is not one prediction"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["keypoints", "keypoint_scores", "scores"])
def test_numbers_that_are_not_finite(
    table: Annotations, answer: Answer, column: str, bad: float
) -> None:
    found = answer(table)
    values = getattr(found, column).copy()
    values.flat[3] = bad
    with pytest.raises(InputError, match="expected finite"):
        check(dataclasses.replace(found, **{column: values}), table)


def test_other_pictures_and_other_skeletons(table: Annotations, answer: Answer) -> None:
    found = answer(table)
    with pytest.raises(InputError, match="20 others such as 1000"):
        check(dataclasses.replace(found, image_ids=found.image_ids + 1000), table)
    fewer = dataclasses.replace(found, keypoints=found.keypoints[:, :14])
    with pytest.raises(InputError, match=r"expected 17 keypoints \(coco17\), got 14"):
        check(fewer, table)
