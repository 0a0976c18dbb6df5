"""What is questionable about labels is said before the first epoch; what cannot work is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from poselab.data import PoseData
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.data_warnings import data_warnings, sides_note
from poselab.structures import InputError

NAMES = ("Top Left", "topRight", "middle")


@pytest.fixture
def make_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Config and data of both splits with 12 people of these keypoints, whose entries change."""
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))

    def make(names: tuple[str, ...] = NAMES, words: tuple[str, ...] = (), **changes: Any) -> Any:
        draw, entries = np.random.default_rng(3), []
        for number in range(1, 13):
            points = draw.uniform(15, 45, (len(names), 2))
            keypoints = np.column_stack([points, np.full(len(names), 2)]).ravel().tolist()
            entry = {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 900.0}
            entry |= {"keypoints": keypoints, "num_keypoints": len(names), "bbox": [9, 9, 40, 40]}
            entries.append(entry | {k: v(points) if callable(v) else v for k, v in changes.items()})
        image = {"id": 1, "file_name": "1.png", "height": 64, "width": 64}
        category = {"id": 1, "name": "card", "keypoints": list(names)}
        content = {"images": [image], "annotations": entries, "categories": [category]}
        for split in ("train2017", "val2017"):
            (tmp_path / split).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / split / "1.png"), np.zeros((64, 64, 3), np.uint8))
            file = tmp_path / "annotations" / f"person_keypoints_{split}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(content))
        base = ("experiment=quickstart/heatmap", "data=coco", "evaluator=oks")
        config, _ = compose("train", [*base, f"data.sources.root={tmp_path}", *words])
        return config, build.data(config)

    return make


def said(config: Any, data: PoseData) -> str:
    return "\n".join(data_warnings(config, data, build.evaluator(config)))


def test_flip_pairs_are_inferred_shown_and_used(make_data: Callable[..., Any]) -> None:
    config, data = make_data()
    assert "left/right" not in said(config, data)
    assert "no published sigmas for custom3" in said(config, data)
    assert sides_note(data.skeleton) == (
        "a flip swaps top_left and top_right; without a side: middle"
    )
    assert data.val.annotations.skeleton.flip_index == (1, 0, 2)
    assert build.module(config, data.skeleton).codec.skeleton.flip_index == (1, 0, 2)


def test_without_pairs_one_sentence_says_how_to_name_them(make_data: Callable[..., Any]) -> None:
    names = ("a", "b", "c")
    assert "set data.flip_pairs=[[LEFT,RIGHT],...]" in said(*make_data(names))
    for words in (("data.flip_pairs=[]",), ("augment.flip=0", "flip_test=false")):
        assert "flip" not in said(*make_data(names, words))
    config, data = make_data(names, ("data.flip_pairs=[[a,c]]", "data.sigmas=[0.1,0.2,0.3]"))
    assert "flip" not in said(config, data)
    assert "sigmas" not in said(config, data)
    for split in (data.train, data.val):
        assert split.annotations.skeleton.flip_index == (2, 1, 0)
        assert split.annotations.skeleton.sigmas == (0.1, 0.2, 0.3)
    record = build.checkpoint_record(config, data.skeleton)["skeleton"]
    assert type(data.skeleton).from_record(json.loads(json.dumps(record))) == data.skeleton


def test_areas_and_conventions_are_said_per_split(make_data: Callable[..., Any]) -> None:
    text = said(*make_data(area=0.0, bbox=[9, 9, 0, 0]))
    assert "12 of 12 labelled people have area 0" in text
    assert "12 of 12 labelled people have a box without area" in text
    assert "area 0" not in said(*make_data(words=("data.area=900",), area=0.0))
    corners = said(*make_data(bbox=lambda p: [*(p.min(0) - 2), *(p.max(0) + 2)]))
    assert "as two corners (x1, y1, x2, y2); COCO" in corners
    assert corners.count("(training)") == corners.count("(validation)") - 1 == 1


def test_what_cannot_be_trained_is_refused(make_data: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="expected boxes to crop people by.*12 people of one"):
        make_data(("tip",), bbox=lambda p: [*p[0], 0, 0], area=0.0)
    fractions = {"keypoints": lambda p: [n for x, y in p / 64 for n in (x, y, 2)]}
    with pytest.raises(InputError, match="expected pixels in .*fractions"):
        make_data(**fractions)
    with pytest.raises(InputError, match=r"expected OKS sigmas in data\.sigmas"):
        make_data(words=("+evaluator.sigmas=[0.1,0.1,0.1]",))
