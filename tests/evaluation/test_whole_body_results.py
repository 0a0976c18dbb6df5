"""Results of COCO-WholeBody, whose parts lie in fields of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.annotations.formats.whole_body import PARTS
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions
from poselab.skeletons import WHOLEBODY133
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations import Annotations


def records(points: Any) -> list[dict[str, Any]]:
    """Results of poses (N, 133, 2) in the authors' form; the whole scores other than the body."""
    ends = np.cumsum(list(PARTS.values()))[:-1]
    found = []
    for row, pose in enumerate(np.dstack([points, np.full(points.shape[:2], 0.5)])):
        parts = zip(PARTS, np.split(pose, ends), strict=True)
        record: dict[str, Any] = {part: part_of.ravel().tolist() for part, part_of in parts}
        scores = {"score": 0.9, "wholebody_score": 0.1 * (row + 1), "face_score": 0.3}
        found.append(record | scores | {"image_id": row, "category_id": 1})
    return found


def test_parts_are_one_pose(make_table: Callable[..., Annotations], tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 300, (4, 133, 2))
    file = tmp_path / "results.json"
    file.write_text(json.dumps(records(points)))
    found = read_predictions(file)
    assert np.allclose(found.keypoints, points)
    assert np.allclose(found.scores, [0.1, 0.2, 0.3, 0.4])
    body = np.ptp(points[:, :17], axis=1).prod(axis=1)
    assert np.allclose(found.areas(), body)  # the size is the body's, as in COCO
    labels = np.dstack([points, np.full((4, 133), 2)])
    table = make_table(labels, WHOLEBODY133)
    assert OksEvaluator()(found, table).values["AP"] == pytest.approx(1.0)


def test_a_missing_whole_body_score_is_the_bodys_and_an_incomplete_part_raises(
    tmp_path: Path,
) -> None:
    plain = records(np.ones((1, 133, 2)))
    del plain[0]["wholebody_score"]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(plain))
    assert read_predictions(file).scores.tolist() == [0.9]
    plain[0]["face_kpts"] = plain[0]["face_kpts"][:-1]
    file.write_text(json.dumps(plain))
    with pytest.raises(InputError, match="three numbers per keypoint"):
        read_predictions(file)


def test_the_area_is_that_of_a_given_box(tmp_path: Path) -> None:
    """Their reader takes boxes where the first result has one, as COCO's does."""
    found = records(np.random.default_rng(0).uniform(0, 300, (2, 133, 2)))
    boxed = [record | {"bbox": [1.0, 2.0, 30.0, 40.0]} for record in found]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(boxed))
    assert read_predictions(file).areas().tolist() == [1200.0, 1200.0]
