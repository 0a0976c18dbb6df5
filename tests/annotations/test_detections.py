"""Detections files: people's boxes in the file's order, or one sentence."""

from __future__ import annotations

import pytest

from poselab.annotations.formats.detections import read_detections
from poselab.structures import InputError


def box(**changes):
    return {"image_id": 4, "category_id": 1, "bbox": [1, 2.5, 3, 4], "score": 0.5} | changes


def test_only_people_are_read_in_the_files_order(write):
    path = write([box(score=1), box(category_id=3), box(image_id=2, score=0.125)])
    found = read_detections(path)
    assert found.image_ids.tolist() == [4, 2]
    assert found.boxes.tolist() == [[1, 2.5, 3, 4]] * 2
    assert found.scores.tolist() == [1.0, 0.125]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"images": []}, "expected a list of detections"),
        ([[1, 2]], "expected a list of detections"),
        ([box(category_id=2)], "expected boxes of people .* none among 1 detections"),
        ([box(), box(bbox=[1, 2, 3])], r"expected image_id, bbox, score .* \[1, 2, 3\]"),
        ([box(score="high")], "expected image_id, bbox, score .* 'high'"),
        ([box(), box(bbox=[1e39, 2, 3, 4])], r"boxes within ±1,000,000 pixels .* \[1e[+]39, 2"),
        ([box(image_id="a.jpg")], r"expected image_id, bbox, score .* 'a\.jpg'"),
    ],
)
def test_other_content_is_an_error(write, content, sentence):
    with pytest.raises(InputError, match=sentence):
        read_detections(write(content))


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(InputError, match=r"expected a detections file at .* no such file"):
        read_detections(tmp_path / "none.json")
