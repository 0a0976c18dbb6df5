"""Keypoint R-CNN from the command line: trains, resumes, is evaluated, predicts without boxes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from flow import Train

from poselab import cli
from poselab.evaluation.predictions import read_predictions
from poselab.io.checkpoints import read_checkpoint

SMALL = (
    *("experiment=coco/keypoint_rcnn_r50", "trainer=default", "framing=whole_image"),
    *("framing.size=[64,64]", "trainer.accelerator=cpu", "data.batch_size=8", "schedule.gamma=1"),
    *("method.head.keypoint_widths=[16]", "method.head.box_width=16", "method.head.samples=16"),
    *("method.head.max_detections=5", "backbone=tiny", "++backbone.widths=[8,16,16,16]"),
)


def test_trains_resumes_evaluates_and_predicts(
    train: Train, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = train(*SMALL, "trainer.max_epochs=2", name="straight")
    run = train(*SMALL, "trainer.max_epochs=1")
    assert cli.main(["train", f"resume={run}", "trainer.max_epochs=2"]) == 0
    ends = [
        read_checkpoint(folder / "checkpoints" / "last.ckpt", "poselab")["state_dict"]
        for folder in (straight, run)
    ]
    assert all(torch.equal(ends[0][key], value) for key, value in ends[1].items())
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["comparability"]["score"] == "box score"
    assert manifest["cost"]["parameters"] > 0 < manifest["cost"]["gmacs"]
    labels = instances / "annotations" / "person_keypoints_val2017.json"
    file = run / "predictions" / "val.json"
    assert 0 < len(read_predictions(file)) <= 8 * 5
    assert cli.main(["evaluate", str(file), "--annotations", str(labels)]) == 0
    out = tmp_path / "found"
    assert cli.main(["predict", str(run), str(instances / "val2017"), "--out", str(out)]) == 0
    capsys.readouterr()
    found, known = (read_predictions(f) for f in (out / "predictions.json", file))
    assert sorted(found.scores) == pytest.approx(sorted(known.scores), abs=1e-4)
    words = [
        "predict",
        str(run),
        str(instances / "val2017"),
        "--out",
        str(out),
        "--boxes",
        str(file),
    ]
    assert cli.main(words) == 1
    assert "which finds people by itself" in capsys.readouterr().err
    assert cli.main(["decode", str(run)]) == 1
    assert "several decoders" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("flip_test=true", "expected flip_test=false for Keypoint R-CNN"),
        ("method.codec.labels=middle", "expected method.codec.labels out of"),
        ("framing.size=[64,72]", "expected framing.size in multiples of 32"),
    ],
)
def test_wrong_options_are_one_sentence(
    change: str, message: str, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {word.partition("=")[0]: word for word in [*SMALL, change]}
    words = [f"data.sources.root={instances}", "data=coco", f"folder={tmp_path / 'run'}"]
    assert cli.main(["train", *changed.values(), *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
