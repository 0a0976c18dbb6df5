"""poselab detect, detect train, detect costs and predict --detector."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_method
from omegaconf import OmegaConf

from poselab import cli
from poselab.annotations.formats.detections import read_detections
from poselab.datasets.base import Split
from poselab.evaluation.comparability import differences_from, read_comparability
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.metrics.person_boxes import person_precisions
from poselab.evaluation.predictions import read_predictions
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.detection.detectors import detector_names

TINY = (
    "experiment=quickstart/heatmap",
    "++backbone.widths=[8,16,16,16]",
    "method.neck.channels=16",
    "framing.size=[64,64]",
    "trainer.max_epochs=1",
    "trainer.num_sanity_val_steps=0",
    "data=coco",
    "data.workers=0",
    "data.batch_size=16",
    "report=null",
)


@pytest.fixture(scope="session")
def run(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A top-down run that is hardly trained."""
    folder = tmp_path_factory.mktemp("runs") / "heatmap"
    assert cli.main(["train", *TINY, f"data.sources.root={instances}", f"folder={folder}"]) == 0
    return folder


@pytest.mark.parametrize("name", detector_names())
def test_every_shipped_detector_composes(name: str) -> None:
    config, _ = compose("detect", [f"detector={name}", "detector.rules.max_boxes=7"])
    rules = OmegaConf.create({"detector": config.detector.rules})
    assert build.instantiate_section(rules, "detector")().max_boxes == 7
    assert config.detector.make["_target_"].startswith("poselab.detection.")
    assert inspect.signature(get_method(config.detector.make["_target_"])).parameters.keys() >= {
        "table",
        "device",
        *(key for key in config.detector.make if not str(key).startswith("_")),
    }


def test_training_writes_a_detector_and_its_metrics(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics.keys() == {"person_AP", "person_AP50", "person_AP75", "seconds"}
    assert metrics["person_AP50"] >= metrics["person_AP"]


def test_a_detections_file_with_its_person_ap(
    instances: Path, labels: Path, val: Split, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "boxes.json"
    given = ["detect", str(instances / "val2017"), "--annotations", str(labels), "--out", str(out)]
    assert cli.main([*given, "--detector", "ground_truth"]) == 0
    assert "person AP 100.0" in capsys.readouterr().out
    found = read_detections(out)
    assert set(found.image_ids.tolist()) <= set(val.annotations.image_ids.tolist())
    # The file is a detector in its turn, and the rules apply to it.
    assert cli.main([*given, "--detector", str(out), "--max-boxes", "1", "--threshold", "0.5"]) == 0
    again = read_detections(out)
    assert again.image_ids.tolist() == np.unique(found.image_ids).tolist()
    assert cli.main([*given, "--detector", "jittered,iou=0.6,miss=0.5,seed=2"]) == 0
    assert len(read_detections(out).scores) == len(found.scores) - round(0.5 * len(found.scores))


def test_images_without_annotations(instances: Path, trained: Path, tmp_path: Path) -> None:
    images = sorted((instances / "val2017").iterdir())[:2]
    given = ["detect", *map(str, images), "--out", str(tmp_path / "boxes.json")]
    assert cli.main([*given, "--detector", str(trained), "--threshold", "0"]) == 0
    found = read_detections(tmp_path / "boxes.json")
    assert sorted(set(found.image_ids.tolist())) == sorted(int(path.stem) for path in images)
    assert (found.boxes[:, 2:] > 0).all()


@pytest.mark.parametrize(
    ("detector", "expected"),
    [
        ("fasterrcn", "expected a detector out of"),
        ("ground_truth", "--annotations"),
        ("tiny", "weights="),
        ("nothing.onnx", "found no such file"),
        ("jittered,iou", "KEY=VALUE"),
        ("jittered,io=0.5", "io"),
        ("fcos,weights=nowhere.pth", "nowhere.pth"),
        ("file.json", "found no such file"),
        ("jittered,rules.max_boxes=few", "conf/detector"),
    ],
)
def test_wrong_detectors_are_one_sentence(
    instances: Path,
    tmp_path: Path,
    detector: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["detect", str(instances / "val2017"), "--out", str(tmp_path / "boxes.json")]
    given += ["--detector", detector, "--device", "cpu"]
    assert cli.main(given) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert expected in sentence
    assert not (tmp_path / "boxes.json").exists()


def test_boxes_of_other_images_are_an_error(
    instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "others.json"
    file.write_text(json.dumps([{"image_id": 5, "bbox": [0, 0, 5, 5], "score": 1}]))
    given = ["detect", str(instances / "val2017"), "--out", str(tmp_path / "boxes.json")]
    assert cli.main([*given, "--detector", str(file)]) == 1
    assert "image ids belong to other images" in capsys.readouterr().err


def test_what_boxes_cost_a_run(
    run: Path, trained: Path, val: Split, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = "jittered,iou=0.9,miss=0.4"
    given = ["detect", "costs", str(run), "--out", str(tmp_path), "--device", "cpu"]
    given += ["--replicates", "50"]
    assert cli.main([*given, "--boxes", detector, str(trained)]) == 0
    rows = json.loads((tmp_path / "detection_costs.json").read_text())
    assert [row["name"] for row in rows] == ["ground_truth", detector, str(trained)]
    true, worse, _ = rows
    assert (true["person_ap"], true["undetected_rate"], true["mean_iou"]) == (1.0, 0.0, 1.0)
    assert true["ap"] == true["completed_ap"]
    assert worse["undetected_rate"] == pytest.approx(0.4, abs=0.03)
    assert worse["mean_iou"] == pytest.approx(0.9, abs=1e-3)  # boxes are in hundredths of pixels
    for row in rows:
        lost = sum(part["value"] for part in row["lost"].values())
        assert row["ap"] + lost == pytest.approx(1.0)
        assert row["interval"][0] <= row["ap"] <= row["interval"][1]
    # On true boxes the run's own figure comes back, from the same boxes, by the same rules.
    own = json.loads((run / "metrics.json").read_text())
    assert true["ap"] == pytest.approx(own["AP"], abs=1e-6)
    table = (tmp_path / "table.md").read_text()
    assert "| undetected | poor boxes | pose errors |" in table
    assert (tmp_path / "detection_costs.png").stat().st_size > 1000
    assert "ground_truth" in capsys.readouterr().out
    # Whoever has the files gets the same figures, and hears of the boxes.
    file = tmp_path / "jittered-iou=0.9-miss=0.4.json"
    boxes = read_detections(file.with_suffix(".boxes.json"))
    assert person_precisions(*boxes, val.annotations)["AP"] == worse["person_ap"]
    found = read_predictions(file)
    assert OksEvaluator()(found, val.annotations).values["AP"] == worse["ap"]
    made = [read_comparability(f)["run"] for f in (file, tmp_path / "ground_truth.json")]
    (difference,) = differences_from({"run": made[1]}, {"run": made[0]})
    assert difference.reason == f"boxes: {detector} (%.1f AP) vs. ground truth" % (
        100 * worse["person_ap"]
    )
    page = (tmp_path / "index.html").read_text()
    assert 'id="plot-points"' in page
    assert "‡" not in page  # sources of boxes differ by their boxes, which is the question


def test_predict_runs_a_detector(
    run: Path, instances: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["predict", str(run), str(instances / "val2017"), "--out", str(tmp_path / "out")]
    assert cli.main([*given, "--device", "cpu", "--detector", str(trained)]) == 0
    boxes = read_detections(tmp_path / "out" / "boxes.json")
    found = read_predictions(tmp_path / "out" / "predictions.json")
    assert 0 < len(found) <= len(boxes.scores)
    assert "no --detector" not in capsys.readouterr().err
    assert cli.main([*given, "--detector", "ground_truth"]) == 1
    assert "annotated people" in capsys.readouterr().err


def test_files_that_can_run_code_need_trust(
    tmp_path: Path, instances: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["detect", str(instances / "val2017"), "--out", str(tmp_path / "boxes.json")]
    assert cli.main([*words, "--detector", "ultralytics,weights=net.pt"]) == 1
    assert "expected the word trust=ultralytics" in capsys.readouterr().err
