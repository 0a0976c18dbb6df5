"""Predictions files: written and read again, merged from shards, errors in bad ones."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.evaluation import predictions
from poselab.evaluation.formats import coco_results, json_records
from poselab.evaluation.predictions import (
    Predictions,
    merge,
    read_predictions,
    write_predictions,
)
from poselab.io import background as second_process
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path


def poses(count: int, keypoints: int = 3, seed: int = 0, boxes: bool = False) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(
        rng.integers(1, 9, count),
        rng.integers(-1, 9, count),
        rng.normal(100, 80, (count, keypoints, 2)),
        rng.random((count, keypoints)),
        rng.random(count),
        rng.random((count, 4)) * 50 if boxes else None,
    )


def equal(a: Predictions, b: Predictions) -> bool:
    pairs = zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True)
    return all(np.array_equal(x, y) if x is not None else y is None for x, y in pairs)


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("count", [0, 1, 1024, 3000])
def test_what_is_written_is_read_again(tmp_path: Path, count: int, boxes: bool) -> None:
    written = poses(count, boxes=boxes and count > 0)
    write_predictions(tmp_path / "p.json", written)
    read = read_predictions(tmp_path / "p.json")
    assert np.array_equal(read.image_ids, written.image_ids)
    assert np.array_equal(read.annotation_ids, written.annotation_ids)
    assert np.array_equal(read.scores, written.scores)
    if count:
        assert np.abs(read.keypoints - written.keypoints).max() <= 0.0005 + 1e-9
        assert np.abs(read.keypoint_scores - written.keypoint_scores).max() <= 0.00005 + 1e-9
    assert boxes == (read.boxes is not None) or not count


def test_a_file_is_the_coco_results_format(tmp_path: Path) -> None:
    one = Predictions(
        np.array([7, 7]),
        np.array([3, -1]),
        np.array([[[1.23456, 2.0]], [[3.0, 4.0]]]),
        np.array([[0.5], [0.25]]),
        np.array([0.9, 0.1]),
    )
    write_predictions(tmp_path / "p.json", one)
    assert json.loads((tmp_path / "p.json").read_text()) == [
        {
            "image_id": 7,
            "category_id": 1,
            "keypoints": [1.235, 2.0, 0.5],
            "score": 0.9,
            "annotation_id": 3,
        },
        {"image_id": 7, "category_id": 1, "keypoints": [3.0, 4.0, 0.25], "score": 0.1},
    ]


@pytest.mark.parametrize("piece", [1, 50, 333, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("large", [1, 1 << 23])
def test_pieces_and_the_whole_read_the_same(
    monkeypatch: pytest.MonkeyPatch, piece: int, indent: int | None, large: int
) -> None:
    """Also where nested objects and strings put the cut in the wrong place."""
    records = [
        {
            "image_id": n,
            "category_id": 1,
            "note": 'a},{b}, {"',
            "parts": [{"x": 1}, {"x": 2}],
            "keypoints": [n + 0.5, 2 * n, 1],
            "score": 0.1,
        }
        for n in range(40)
    ]
    monkeypatch.setattr(json_records, "PIECE", piece)
    monkeypatch.setattr(json_records, "LARGE", large)
    text = json.dumps(records, indent=indent).encode()
    columns = coco_results.parse(lambda: io.BytesIO(text), "p.json")
    assert columns.image_ids.tolist() == list(range(40))
    assert columns.keypoints[:, 0].tolist() == [[n + 0.5, 2 * n] for n in range(40)]


@pytest.fixture
def _halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read in halves too, by two processes where there can be two."""
    for module in (json_records, predictions):
        monkeypatch.setattr(module, "LARGE", 64)
    monkeypatch.setattr(json_records, "PIECE", 512)
    monkeypatch.setattr(second_process, "possible", lambda: hasattr(os, "memfd_create"))


@pytest.mark.usefixtures("_halved")
@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 500])
def test_halves_and_the_whole_read_the_same(tmp_path: Path, count: int, boxes: bool) -> None:
    write_predictions(tmp_path / "p.json", poses(count, boxes=boxes))
    text = (tmp_path / "p.json").read_bytes()
    (tmp_path / "p.json.gz").write_bytes(gzip.compress(text))
    records = json.loads(text)
    for name in ("p.json", "p.json.gz"):
        read = read_predictions(tmp_path / name)
        assert read.image_ids.tolist() == [record["image_id"] for record in records]
        assert read.scores.tolist() == [record["score"] for record in records]
        points = np.concatenate([read.keypoints, read.keypoint_scores[..., None]], axis=2)
        expected = [record["keypoints"] for record in records]
        assert points.reshape(count, -1).tolist() == expected
        if boxes:
            assert read.boxes is not None
            assert read.boxes.tolist() == [record["bbox"] for record in records]


@pytest.mark.usefixtures("_halved")
@pytest.mark.parametrize("guilty", [1, 30, 99])
def test_a_bad_record_in_either_half_is_named(tmp_path: Path, guilty: int) -> None:
    records = [GOOD | {"image_id": n} for n in range(100)]
    for change, sentence in (
        ({"score": None}, "expected a number as score"),
        ({"keypoints": [1, 2, 3]}, "2 keypoints in every prediction"),
        ({"category_id": 18}, "expected category_id 1"),
    ):
        bad = [*records[:guilty], records[guilty] | change, *records[guilty + 1 :]]
        (tmp_path / "p.json").write_text(json.dumps(bad))
        with pytest.raises(InputError, match=f"{sentence}.*'image_id': {guilty},"):
            read_predictions(tmp_path / "p.json")


@pytest.mark.usefixtures("_halved")
@pytest.mark.parametrize("end", ["", "]]", "] x", ",]"])
def test_a_truncated_file_raises_in_halves_too(tmp_path: Path, end: str) -> None:
    text = json.dumps([GOOD | {"image_id": n} for n in range(100)])
    (tmp_path / "p.json").write_text(text[:-1] + end)
    with pytest.raises(InputError, match="expected JSON in .*p.json"):
        read_predictions(tmp_path / "p.json")


def test_merging_drops_only_the_padding_of_the_sampler() -> None:
    whole = dataclasses.replace(poses(9), annotation_ids=np.array([0, 1, 2, 3, 4, -1, -1, -1, -1]))
    whole = dataclasses.replace(whole, image_ids=np.arange(9))
    first, second = whole.take(np.array([0, 1, 2, 5, 6])), whole.take(np.array([3, 4, 7, 8]))
    padded = whole.take(np.array([3, 4, 7, 8, 0, 5]))
    assert equal(merge([first, padded]), merge([first, second]))
    assert len(merge([first, second])) == 9


def test_merging_keeps_the_first_pose_of_an_annotation_and_a_methods_own_duplicates() -> None:
    predict = dataclasses.replace(
        poses(2), image_ids=np.array([1, 1]), annotation_ids=np.array([5, 5])
    )
    assert equal(merge([predict]), predict.take(np.array([0])))
    free = dataclasses.replace(poses(1), annotation_ids=np.array([-1])).take(np.array([0, 0]))
    assert len(merge([free])) == 2
    assert len(merge([free, free])) == 2


def test_merging_with_empty_shards() -> None:
    nothing = poses(0)
    something = dataclasses.replace(poses(4), annotation_ids=np.arange(4))
    assert len(merge([nothing, nothing])) == 0
    assert equal(merge([nothing, something]), something)


GOOD: dict[str, Any] = {
    "image_id": 1,
    "category_id": 1,
    "keypoints": [1.0, 2.0, 0.5] * 2,
    "score": 0.5,
}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "expected a JSON list of predictions"),
        ("[1, 2]", "expected objects in the list"),
        ('[{"image_id": 1', "is it cut off"),
        (json.dumps([GOOD]).replace("0.5}", "1e999}"), "finite numbers .* infinity .* correct"),
        ("[] trailing", "expected JSON"),
        (json.dumps([GOOD | {"score": float("nan")}]), "expected finite numbers"),
        (json.dumps([GOOD, {k: v for k, v in GOOD.items() if k != "score"}]), "expected score"),
        (json.dumps([GOOD | {"score": None}]), "expected a number as score"),
        (json.dumps([GOOD | {"score": "high"}]), "expected a number as score"),
        (json.dumps([GOOD | {"keypoints": [[1, 2, 3]]}]), "one flat list of numbers"),
        (json.dumps([GOOD | {"keypoints": [1, 2]}]), "three numbers per keypoint"),
        (json.dumps([GOOD | {"keypoints": []}]), "three numbers per keypoint"),
        (json.dumps([GOOD, GOOD | {"keypoints": [1, 2, 3]}]), "2 keypoints in every prediction"),
        (json.dumps([GOOD | {"category_id": 18}]), "expected category_id 1"),
        (json.dumps([GOOD | {"image_id": "a.jpg"}]), "whole numbers as image_id"),
        (json.dumps([GOOD | {"image_id": 1.5}]), "whole numbers as image_id"),
        (json.dumps([GOOD | {"annotation_id": None}]), "whole numbers as image_id and annotation"),
        (json.dumps([GOOD | {"bbox": [0, 0, 1, 1]}, GOOD]), "in all predictions"),
    ],
)
def test_a_bad_file_raises_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(InputError, match=sentence) as error:
        read_predictions(path)
    assert "\n" not in str(error.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_predictions(tmp_path / "p.json")


def test_a_compressed_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps([GOOD]).encode()))
    assert read_predictions(path).scores.tolist() == [0.5]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="p.json.gz"):
        read_predictions(path)
