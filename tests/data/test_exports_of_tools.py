"""Annotations of one's own are trained on where annotation tools put them, or where paths say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from poselab.cli import main
from poselab.data import PoseData
from poselab.datasets import cvat, roboflow
from poselab.datasets.recognise import dataset_in
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.structures import InputError


def opened(*words: str) -> PoseData:
    """The data of an experiment."""
    return build.data(compose("train", ["experiment=quickstart/heatmap", *words])[0])


@pytest.fixture
def exports(root: Path, tmp_path: Path) -> Path:
    """The same images as Roboflow and as CVAT export them."""
    for split, beside, subset in (
        ("train2017", "train", "Train"),
        ("val2017", "valid", "Validation"),
    ):
        shutil.copytree(root / split, tmp_path / "roboflow" / beside)
        shutil.copytree(root / split, tmp_path / "cvat" / "images" / subset)
        labels = root / "annotations" / f"person_keypoints_{split}.json"
        content = json.loads(labels.read_text())
        places = (
            tmp_path / "cvat" / "annotations" / f"person_keypoints_{subset}.json",
            tmp_path / "roboflow" / beside / "_annotations.coco.json",
        )
        for place in places:
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps(content))
            content["categories"].insert(0, {"id": 0, "name": "people", "supercategory": "none"})
    return tmp_path


@pytest.mark.parametrize("tool", ["roboflow", "cvat"])
def test_exports_are_recognised_checked_and_opened(
    exports: Path, tool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dataset_in(exports / tool) == tool
    assert main(["data", "check", str(exports / tool)]) == 0
    assert "nothing is missing" in capsys.readouterr().out
    data = opened(f"data={tool}", f"data.sources.root={exports / tool}")
    assert (len(data.train.annotations), len(data.val.annotations)) == (24, 8)
    assert data.train_samples[0].image.any()


def test_images_of_cvat_may_lie_in_one_folder(exports: Path) -> None:
    for file in list((exports / "cvat" / "images" / "Train").iterdir()):
        file.rename(exports / "cvat" / "images" / file.name)
    (exports / "cvat" / "images" / "Train").rmdir()
    split = cvat.files(exports / "cvat").train.open()
    assert split.image_path(0).is_file()


def test_any_file_and_folder_can_be_given(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exports)
    words = []
    for split, folder in (("train", "roboflow/train"), ("val", "roboflow/valid")):
        words.append(f"data.sources.{split}.annotations={folder}/_annotations.coco.json")
        words.append(f"data.sources.{split}.images={folder}")
    assert len(opened("data=custom", *words).train.annotations) == 24
    with pytest.raises(InputError, match="a path as data.sources.val.images, got None"):
        opened("data=custom", *words[:-1])
    with pytest.raises(InputError, match="a folder of images at nowhere, found none"):
        opened("data=custom", *words, "data.sources.val.images=nowhere")


def test_other_splits_that_are_there_are_named(exports: Path) -> None:
    (exports / "cvat" / "images" / "default").mkdir()
    files = cvat.files(exports / "cvat", train="default").train
    with pytest.raises(InputError, match="only person_keypoints_Train.json, person_keypoints_Val"):
        files.open()
    with pytest.raises(InputError, match="folder of images at .*/test, found none"):
        roboflow.files(exports / "roboflow", val="test").val.open()


def test_an_unknown_folder_is_answered_with_how_to_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert "poselab data check FILE --images FOLDER" in printed
    assert "data=custom" in printed
