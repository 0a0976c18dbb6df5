"""``poselab evaluate joints`` on two people of whom one wrist is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.cli import main
from poselab.skeletons import COCO17

WRIST = COCO17.index("left_wrist")


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two people in an image each; no nose is labelled, the second's left wrist is far off
    and says so by its score."""
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))
    instances, found = [], []
    for number in (1, 2):
        points = np.full((17, 3), 2.0)
        points[:, :2] = np.random.default_rng(number).uniform(20, 180, (17, 2)).round(1)
        points[0] = 0
        person: dict[str, Any] = {"image_id": number, "category_id": 1}
        instances.append(
            person
            | {"id": number, "bbox": [10, 10, 180, 180], "area": 9216.0, "iscrowd": 0}
            | {"keypoints": points.ravel().tolist(), "num_keypoints": 16}
        )
        points[:, 2] = 0.9
        if number == 2:
            points[WRIST] += [500, 0, -0.8]
        found.append(person | {"keypoints": points.ravel().tolist(), "score": 1 - number / 10})
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 200, "width": 200} for n in (1, 2)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": []}
    ground_truth = {"images": images, "annotations": instances, "categories": [category]}
    for name, content in (("ground_truth", ground_truth), ("found", found)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return [
        "evaluate",
        "joints",
        f"{tmp_path}/found.json",
        "--annotations",
        f"{tmp_path}/ground_truth.json",
    ]


def test_each_joint_is_scored_by_itself(words: list[str], tmp_path: Path, capsys: Any) -> None:
    assert main([*words, "--json", str(tmp_path / "joints.json")]) == 0
    said = capsys.readouterr().out
    content = json.loads((tmp_path / "joints.json").read_text())
    joints = content["joints"]
    assert joints["left_knee"] == {
        "labelled": 2,
        **dict.fromkeys(("AP", "similarity"), 1.0),
        **{f"similarity>={t}": 1.0 for t in ("0.5", "0.75", "0.9")},
    }
    # The first of two people, found first: 51 of 101 recalls at precision 1.
    assert joints["left_wrist"]["AP"] == pytest.approx(51 / 101)
    assert joints["left_wrist"]["similarity"] == joints["left_wrist"]["similarity>=0.5"] == 0.5
    assert joints["nose"] == {"labelled": 0} | dict.fromkeys(list(joints["nose"])[1:])
    # 31 of 32 joints score 0.9 and are right, one scores 0.1 and is wrong.
    assert content["scores"]["pearson"] == pytest.approx(1)
    assert content["scores"]["error"] == pytest.approx(0.1)
    assert "scores of 32 labelled keypoints against their similarity: correlation 1.00" in said
    assert "left_wrist" in said


def test_constant_scores_have_no_correlation(words: list[str], tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "found.json"
    found = json.loads(file.read_text())
    for pose in found:
        pose["keypoints"][2::3] = [1.0] * 17
    file.write_text(json.dumps(found))
    assert main(words) == 0
    assert "no correlation, because scores or similarities are all equal" in capsys.readouterr().out
