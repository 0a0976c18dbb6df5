"""What the page's browser is given: every pose in its place, few bytes, errors by name."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from known_errors import COARSE, FINE, IMAGES, INVERTED, MISSED, NOBODY, UNFOUND

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison
from poselab.report import page_data as of_page
from poselab.report.analysis import analyse, groups_of
from poselab.report.error_plots import KINDS

UNIT = 640 / of_page.UNITS


def unpacked(text: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def data(comparison: Comparison) -> dict[str, Any]:
    table, analyses = comparison.annotations, analyse(comparison)
    return of_page.page_data(table, analyses, groups_of(table), KINDS, {3: "data:x"})


def test_labels_come_back_to_a_tenth_of_a_pixel(data: dict[str, Any], labels: Annotations) -> None:
    points = unpacked(data["instances"]["points"], "<i2").reshape(-1, 17, 2) * UNIT - 0.5
    np.testing.assert_allclose(points, labels.keypoints, atol=0.05)
    boxes = unpacked(data["instances"]["boxes"], "<i2").reshape(-1, 4) * UNIT - 0.5
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], labels.boxes[:, 2:], atol=0.1)
    assert data["images"]["first"] == list(range(0, 2 * IMAGES + 1, 2))
    assert data["groups"]["size"] == ["small", "medium", "large"]
    assert unpacked(data["instances"]["groups"]["size"], "i1").tolist() == [1, 2] * IMAGES
    assert data["pixels"] == {3: "data:x"}


def test_every_person_has_the_pose_that_answers(data: dict[str, Any], labels: Annotations) -> None:
    fine, coarse = data["methods"]
    assert [fine["name"], coarse["name"]] == [FINE, COARSE]
    of = unpacked(coarse["of"], "<i4")
    unfound = 2 * (UNFOUND - 100)
    assert np.flatnonzero(of < 0).tolist() == [unfound]
    points = unpacked(coarse["points"], "<i2").reshape(-1, 17, 2) * UNIT - 0.5
    away = np.abs(points[of] - labels.keypoints).max(axis=(1, 2))
    assert (away > 0.1).sum() == 4  # inverted, missed, poor, and the one whom nobody answers
    similar = unpacked(coarse["oks"], "<f4")
    assert similar[unfound] == 0
    assert (similar > 0.999).sum() == 2 * IMAGES - 4


def test_errors_have_their_codes(data: dict[str, Any], labels: Annotations) -> None:
    codes = unpacked(data["methods"][1]["kinds"], "u1").reshape(-1, 17) & 7
    wrists = [labels.skeleton.index(f"{side}_wrist") for side in ("left", "right")]
    assert [KINDS[c] for c in codes[2 * (INVERTED - 100), wrists]] == ["inversion"] * 2
    assert [KINDS[c] for c in codes[2 * (MISSED - 100), wrists]] == ["miss", "good"]
    assert not unpacked(data["methods"][0]["kinds"], "u1").any()


def test_poses_of_nobody_stand_with_their_image(data: dict[str, Any]) -> None:
    coarse = data["methods"][1]
    counts = np.diff(coarse["extra"])
    assert np.flatnonzero(counts).tolist() == [NOBODY - 100]
    assert unpacked(coarse["scores"], "<f4")[coarse["extra"][NOBODY - 100]] == np.float32(0.95)
    assert not np.diff(data["methods"][0]["extra"]).any()


def test_of_many_images_those_that_differ_stay(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_page, "MOST_IMAGES", 2)
    table, analyses = comparison.annotations, analyse(comparison)
    data = of_page.page_data(table, analyses, groups_of(table), KINDS, {})
    assert UNFOUND in data["images"]["id"]
    assert len(data["images"]["id"]) == 2
    assert len(unpacked(data["instances"]["points"], "<i2")) == 2 * 2 * 17 * 2


def test_joints_that_a_file_leaves_out_are_not_drawn() -> None:
    frames = np.array([[-0.5, -0.5, 640.0, 480.0]])
    drawable = of_page._drawable(np.array([[[0.0, 0.0], [0.0, 5.0]]]))
    absent, (x, y) = unpacked(of_page._units(drawable, frames), "<i2").reshape(2, 2)
    assert absent.tolist() == [of_page.ABSENT] * 2
    assert (x * UNIT - 0.5, y * UNIT - 0.5) == pytest.approx((0, 5), abs=0.05)
