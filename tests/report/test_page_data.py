"""The data of the page's image browser: every pose in its place, few bytes, errors by name."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from known_errors import BACKGROUND, COARSE, FINE, IMAGES, INVERTED, MISSED, UNDETECTED

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison
from poselab.report import page_data
from poselab.report.analysis import analyse, instance_groups
from poselab.report.error_plots import STATUSES

UNIT = 640 / page_data.UNITS


def unpacked(text: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def data(comparison: Comparison) -> dict[str, Any]:
    table, analyses = comparison.annotations, analyse(comparison)
    return page_data.page_data(table, analyses, instance_groups(table), STATUSES, {3: "data:x"})


def test_coordinates_are_precise_to_a_tenth_of_a_pixel(
    data: dict[str, Any], annotations: Annotations
) -> None:
    points = unpacked(data["instances"]["points"], "<i2").reshape(-1, 17, 2) * UNIT - 0.5
    np.testing.assert_allclose(points, annotations.keypoints, atol=0.05)
    boxes = unpacked(data["instances"]["boxes"], "<i2").reshape(-1, 4) * UNIT - 0.5
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], annotations.boxes[:, 2:], atol=0.1)
    assert data["images"]["first"] == list(range(0, 2 * IMAGES + 1, 2))
    assert data["groups"]["size"] == ["small", "medium", "large"]
    assert unpacked(data["instances"]["groups"]["size"], "i1").tolist() == [1, 2] * IMAGES
    assert data["pixels"] == {3: "data:x"}


def test_every_instance_has_its_matched_pose(
    data: dict[str, Any], annotations: Annotations
) -> None:
    fine, coarse = data["methods"]
    assert [fine["name"], coarse["name"]] == [FINE, COARSE]
    pose_of = unpacked(coarse["pose_of"], "<i4")
    undetected = 2 * (UNDETECTED - 100)
    assert np.flatnonzero(pose_of < 0).tolist() == [undetected]
    points = unpacked(coarse["points"], "<i2").reshape(-1, 17, 2) * UNIT - 0.5
    away = np.abs(points[pose_of] - annotations.keypoints).max(axis=(1, 2))
    assert (away > 0.1).sum() == 4  # inverted, missed, poor, and the one without a pose
    similar = unpacked(coarse["oks"], "<f4")
    assert similar[undetected] == 0
    assert (similar > 0.999).sum() == 2 * IMAGES - 4


def test_errors_have_their_codes(data: dict[str, Any], annotations: Annotations) -> None:
    codes = unpacked(data["methods"][1]["statuses"], "u1").reshape(-1, 17) & 7
    wrists = [annotations.skeleton.index(f"{side}_wrist") for side in ("left", "right")]
    assert [STATUSES[c] for c in codes[2 * (INVERTED - 100), wrists]] == ["inversion"] * 2
    assert [STATUSES[c] for c in codes[2 * (MISSED - 100), wrists]] == ["miss", "good"]
    assert not unpacked(data["methods"][0]["statuses"], "u1").any()


def test_unmatched_poses_belong_to_their_image(data: dict[str, Any]) -> None:
    coarse = data["methods"][1]
    counts = np.diff(coarse["unmatched"])
    assert np.flatnonzero(counts).tolist() == [BACKGROUND - 100]
    assert unpacked(coarse["scores"], "<f4")[coarse["unmatched"][BACKGROUND - 100]] == np.float32(
        0.95
    )
    assert not np.diff(data["methods"][0]["unmatched"]).any()


def test_of_many_images_those_that_differ_stay(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "MAX_IMAGES", 2)
    table, analyses = comparison.annotations, analyse(comparison)
    data = page_data.page_data(table, analyses, instance_groups(table), STATUSES, {})
    assert UNDETECTED in data["images"]["id"]
    assert len(data["images"]["id"]) == 2
    assert len(unpacked(data["instances"]["points"], "<i2")) == 2 * 2 * 17 * 2


@pytest.mark.parametrize("embedded", [0, 5_000])
def test_the_page_holds_as_many_images_as_fit(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, embedded: int
) -> None:
    monkeypatch.setattr(page_data, "MAX_BYTES", 12_000)
    table, analyses = comparison.annotations, analyse(comparison)
    pixels = {int(table.image_ids.tolist().index(UNDETECTED)): "x" * embedded}
    data = page_data.page_data(table, analyses, instance_groups(table), STATUSES, pixels)
    assert UNDETECTED in data["images"]["id"]
    assert len(data["images"]["id"]) < len(table)
    packed = [data[name] for name in ("images", "instances", "methods", "pixels")]
    assert 6_000 < len(json.dumps(packed)) < 13_000


def test_keypoints_that_a_file_leaves_out_are_absent() -> None:
    frames = np.array([[-0.5, -0.5, 640.0, 480.0]])
    drawable = page_data._without_absent(np.array([[[0.0, 0.0], [0.0, 5.0]]]))
    absent, (x, y) = unpacked(page_data._in_units(drawable, frames), "<i2").reshape(2, 2)
    assert absent.tolist() == [page_data.ABSENT] * 2
    assert (x * UNIT - 0.5, y * UNIT - 0.5) == pytest.approx((0, 5), abs=0.05)
