"""What a run records of all that its predictions depend on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from poselab.evaluation.comparability import differences_from
from poselab.evaluation.comparability.fields import RUN_FIELDS
from poselab.experiments import build
from poselab.experiments.comparability import run_comparability
from poselab.experiments.config.compose import compose
from poselab.synthetic import Settings, generate

OKS = {"metric": "oks", "image_set": "a"}
OKS_NMS = {"kind": "OKS", "threshold": 0.9, "area": "crop"}


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(
        tmp_path_factory.mktemp("coco") / "instances", Settings(6, val=4, seed=4), workers=1
    )


def record(root: Path, *words: str) -> dict:
    given = ["experiment=quickstart/heatmap", "data=coco", f"data.sources.root={root}", *words]
    config, _ = compose("train", [*given, "framing.size=[64,64]", "data.workers=0"])
    data = build.data(config)
    return run_comparability(data, build.module(config, data.skeleton))


def test_labelled_boxes_and_the_usual_rules(instances: Path) -> None:
    made = record(instances, "framing.pixels=hrnet")
    assert made.keys() == RUN_FIELDS.keys()
    assert made == json.loads(json.dumps(made))  # plain values only
    assert made["boxes"] == {"kind": "labelled"}
    assert (made["flip_test"], made["flip_shift"], made["pixels"]) == (True, 1, "hrnet")
    assert made["score"] == "box score · mean of keypoint scores above 0.2"
    assert (made["nms"], made["input_size"]) == (OKS_NMS, [64, 64])
    assert made["training"]["images"] == 6
    assert made["overlap"] == {"images": 0, "decided_by": "content of the files"}


def test_every_choice_is_recorded(instances: Path) -> None:
    usual = OKS | {"run": record(instances)}
    for word, field in {
        "flip_test=false": "run.flip_test",
        "module=single_person": "run.score run.nms",
        "postprocess.nms=null": "run.nms",
        "postprocess.nms_area=box": "run.nms",
        "framing.clip=mmpose": "run.boxes",
        "framing.padding=1": "run.padding",
        "framing.reduced_jpeg=false": "run.reduced_jpeg",
        "data.limit=3": "run.training",
    }.items():
        differences = differences_from(usual, OKS | {"run": record(instances, word)})
        assert " ".join(difference.field for difference in differences) == field
        assert {difference.severity for difference in differences} == {"unequal"}


def test_detected_boxes_bring_their_average_precision(instances: Path, tmp_path: Path) -> None:
    labels = json.loads((instances / "annotations/person_keypoints_val2017.json").read_text())
    file = tmp_path / "boxes.json"
    detections = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": score}
        for a in labels["annotations"]
        for score in (0.9, 0.1)
    ]
    file.write_text(json.dumps(detections))
    boxes = record(instances, f"framing.boxes={file}", "framing.threshold=0.5")["boxes"]
    assert (boxes["kind"], boxes["file"], boxes["threshold"]) == ("detected", "boxes.json", 0.5)
    assert boxes["person_AP"] == pytest.approx(1)


def test_shared_images_are_counted_whatever_their_name(instances: Path, tmp_path: Path) -> None:
    root = tmp_path / "leaky"
    shutil.copytree(instances, root)
    train, val = (sorted((root / f"{split}2017").iterdir()) for split in ("train", "val"))
    shutil.copy(val[0], train[3])
    shutil.copy(val[1], train[5])
    assert record(root)["overlap"]["images"] == 2
