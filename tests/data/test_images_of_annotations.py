"""Images are looked for before training, and outside of their folder only with permission."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from poselab.data import Augment, PersonCrop, PoseData, PoseDataset
from poselab.datasets import coco
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.structures import InputError

WORDS = ["experiment=quickstart/heatmap", "data=coco", "data.workers=0"]


@pytest.fixture
def elsewhere(root: Path, tmp_path: Path) -> Path:
    """The same dataset, whose annotations name their images absolutely."""
    copy = shutil.copytree(root / "annotations", tmp_path / "coco" / "annotations").parent
    for split in ("train2017", "val2017"):
        (copy / split).mkdir()
        file = copy / "annotations" / f"person_keypoints_{split}.json"
        content = json.loads(file.read_text())
        for image in content["images"]:
            image["file_name"] = str(root / split / image["file_name"])
        file.write_text(json.dumps(content))
    return copy


def test_missing_images_are_said_before_training(elsewhere: Path) -> None:
    config, _ = compose("train", [*WORDS, f"data.sources.root={elsewhere}"])
    with pytest.raises(InputError, match="24 of 24 that were looked for.*data.outside_images=true"):
        build.data(config)


def test_permitted_names_are_used_by_loader_workers_too(elsewhere: Path, root: Path) -> None:
    data = PoseData(coco.files(elsewhere), outside_images=True)
    data.set_transforms(PersonCrop((64, 64)), Augment(), seed=0)
    samples = pickle.loads(pickle.dumps(data.train_samples))  # as a worker gets them
    usual = PoseDataset(coco.files(root).train.open(), PersonCrop((64, 64)), Augment())
    assert (samples[3].image == usual[3].image).all()
