"""predict, suite, ablate and data browse, in miniature."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flow import TINY, words

import poselab
from poselab import cli
from poselab.evaluation.comparability import read_comparability
from poselab.evaluation.predictions import read_predictions
from poselab.experiments import ablation, suite
from poselab.io.files import write_bytes
from poselab.training.callbacks import SeedEachEpoch

ABLATION = """
question: How wide?
paper: nobody's
experiment: mine/base
metrics: [AP]
seeds: [0, 1]
rows:
  - {label: narrow, overrides: [method.codec.sigma=1.0], published: {AP: 70.4}, source: a table}
  - {label: wide, overrides: [method.codec.sigma=2.0], published: null}
comparable: not at all
"""


def boxes_of(instances: Path, file: Path) -> int:
    """The annotated boxes as a detections file; how many."""
    labels = json.loads((instances / "annotations/person_keypoints_val2017.json").read_text())
    found = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": 0.5}
        for a in labels["annotations"]
        if not a["iscrowd"]
    ]
    file.write_text(json.dumps(found))
    return len(found)


def test_predict_without_boxes_sees_one_person_an_image(
    run: Path, instances: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert cli.main(["predict", str(run), str(instances / "val2017"), "--out", str(out)]) == 0
    predictions = read_predictions(out / "predictions.json")
    images = json.loads((out / "images.json").read_text())
    assert len(predictions) == len(images) == 8
    assert sorted(predictions.image_ids.tolist()) == sorted(p["id"] for p in images)
    drawn = sorted((out / "images").glob("*.jpg"))
    assert [path.stem for path in drawn] == sorted(Path(p["file_name"]).stem for p in images)
    original, painted = (cv2.imread(str(p)) for p in (images[0]["file_name"], drawn[0]))
    assert original.shape == painted.shape


def test_predict_with_boxes(run: Path, instances: Path, tmp_path: Path) -> None:
    count = boxes_of(instances, tmp_path / "boxes.json")
    given = ["predict", str(run), str(instances / "val2017"), "--out", str(tmp_path / "out")]
    assert cli.main([*given, "--boxes", str(tmp_path / "boxes.json")]) == 0
    predictions = read_predictions(tmp_path / "out" / "predictions.json")
    assert 8 < len(predictions) <= count  # NMS may drop some
    assert (predictions.scores <= 0.5).all()  # times the box's score
    # The same people as in the run, which had the same boxes from the annotations.
    theirs = read_predictions(run / "predictions" / "val.json")
    ours = {tuple(k) for k in predictions.keypoints.reshape(len(predictions), -1).round(1).tolist()}
    same = {tuple(k) for k in theirs.keypoints.reshape(len(theirs), -1).round(1).tolist()}
    assert len(ours & same) >= 0.8 * len(same)
    # How they were made lies beside them: as in the run, but on these boxes.
    made = read_comparability(tmp_path / "out" / "predictions.json")["run"]
    trained = read_comparability(run)["run"]
    assert {k for k in trained if made.get(k) != trained[k]} == {"boxes", "overlap"}
    assert (made["boxes"]["kind"], made["boxes"]["file"]) == ("detected", "boxes.json")


def test_poor_poses_are_written_but_not_drawn(
    run: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = boxes_of(instances, tmp_path / "boxes.json")
    image = sorted((instances / "val2017").iterdir())[0]
    given = ["predict", str(run), str(image), "--out", str(tmp_path / "out")]
    given += ["--boxes", str(tmp_path / "boxes.json"), "--pose-threshold"]
    painted = []
    for threshold in ("0", "0.99"):
        assert cli.main([*given, threshold, "--threshold", "0"]) == 0
        painted.append(cv2.imread(str(tmp_path / "out" / "images" / image.name)))
        assert 0 < len(read_predictions(tmp_path / "out" / "predictions.json")) <= count
    assert "0 of them drawn (score above 0.99)" in capsys.readouterr().out
    apart = [np.abs(p.astype(int) - cv2.imread(str(image))).max() for p in painted]
    assert apart[0] > 100 > apart[1]  # JPEG written again


def test_predict_leaves_out_its_own_drawings(
    run: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for image in sorted((instances / "val2017").iterdir())[:2]:
        (photos / image.name).symlink_to(image)
    one = min(photos.iterdir()).name
    given = ["predict", str(run), str(photos), str(photos / one), "--out", str(photos / "found")]
    for _ in range(2):
        assert cli.main(given) == 0
        assert "2 poses in 2 images" in capsys.readouterr().out
    made = read_comparability(photos / "found" / "predictions.json")["run"]
    assert made["boxes"] == {"kind": "none"}
    drawn = photos / "found" / "images"
    assert cli.main([*given[:2], str(drawn), "--out", str(photos / "found")]) == 1
    assert "would be drawn over; choose another --out" in capsys.readouterr().err


def test_predict_bottom_up(instances: Path, tmp_path: Path) -> None:
    changes = ("experiment=quickstart/bottom_up", "method.codec.sigma=1.0")
    given = [w for w in words(instances, tmp_path / "run", *changes) if "neck.channels" not in w]
    assert cli.main(given) == 0
    given = ["predict", str(tmp_path / "run"), str(instances / "val2017")]
    assert cli.main([*given, "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out" / "images").glob("*.jpg"))) == 8
    json.loads((tmp_path / "out" / "predictions.json").read_text())


def test_browse_draws_a_sheet(instances: Path, tmp_path: Path) -> None:
    given = [*TINY, f"data.sources.root={instances}", "--out", str(tmp_path / "sheet.png")]
    assert cli.main(["data", "browse", *given, "--count", "6"]) == 0
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


@pytest.mark.parametrize("name", ["train", "ablate", "suite", "evaluate"])
def test_a_command_without_arguments_is_a_usage_error(name: str, capsys: Any) -> None:
    assert cli.main([name]) == 2
    message = capsys.readouterr()
    assert message.out == ""
    assert f"usage: poselab {name}" in message.err
    assert cli.main([name, "--help"]) == 0
    message = capsys.readouterr()
    assert message.err == ""
    assert f"usage: poselab {name}" in message.out


def test_the_package_runs_as_the_command() -> None:
    message = subprocess.check_output([sys.executable, "-m", "poselab", "--version"], text=True)
    assert message.strip() == poselab.__version__


@pytest.mark.parametrize(
    ("wrong", "status"), [(["--count", "0"], 2), (["--out", "sheet.sheet"], 1)]
)
def test_browse_checks_its_arguments(wrong: list[str], status: int, capsys: Any) -> None:
    assert cli.main(["data", "browse", *wrong]) == status
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith("poselab data browse: expected ")
    assert wrong[1] in message


def test_a_suite_trains_only_what_is_missing(
    instances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A suite from a folder of the user's own."""
    mine = b"# @package _global_\ndefaults: [/experiment/quickstart/heatmap]\n"
    write_bytes(tmp_path / "conf" / "experiment" / "mine" / "heatmap.yaml", mine)
    given = [
        w for w in words(instances, tmp_path)[1:] if not w.startswith(("folder", "experiment"))
    ]
    own = ["--config-dir", str(tmp_path / "conf")]
    given = ["suite", "mine", f"runs={tmp_path}", *own, *given]
    assert cli.main(given) == 0
    out = capsys.readouterr().out
    assert "epoch 1/1" in out
    table = next(tmp_path.rglob("table.md")).read_text()
    heading, _, row = ([cell.strip() for cell in line.split("|")] for line in table.splitlines())
    assert row[heading.index("method")] == "heatmap"
    assert float(row[heading.index("images/s")]) > 0
    assert float(row[heading.index("GMACs")]) > 0
    with monkeypatch.context() as patch:
        patch.setattr(suite, "train_run", lambda *given: pytest.fail("trained again"))
        assert cli.main(given) == 0
    assert next(tmp_path.rglob("table.md")).read_text() == table
    capsys.readouterr()
    assert cli.main([*given, "seed=3"]) == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert "another one; move that folder away" in message
    assert cli.main(["suite", "mine"]) == 1
    assert (
        "expected a suite out of bench/low_resolution, bench/top_down, coco, "
        in capsys.readouterr().err
    )
    assert cli.main([given[0], *own, "nothing"]) == 1
    assert "mine, mpii" in capsys.readouterr().err
    assert cli.main([*given[:2], "heatmap", "nothing", *own]) == 1
    assert "of mine out of heatmap, got 'nothing'" in capsys.readouterr().err


def test_an_interrupted_ablation_goes_on(
    instances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    changes = [*TINY[1:], f"data.sources.root={instances}"]
    file = tmp_path / "conf" / "ablation" / "mine" / "sigma.yaml"
    write_bytes(file, ABLATION.encode())
    base = b"# @package _global_\ndefaults: [/experiment/quickstart/heatmap]\n"
    write_bytes(tmp_path / "conf" / "experiment" / "mine" / "base.yaml", base)
    given = ["ablate", "ablation=mine/sigma", f"runs={tmp_path}", "--config-dir"]
    quoted = ",".join(f'"{change}"' for change in changes)
    given += [str(tmp_path / "conf"), f"overrides=[{quoted}]"]
    seed, started = SeedEachEpoch.on_train_epoch_start, list[int]()

    def interrupt(self: Any, *rest: Any) -> None:
        started.append(self.seed)
        if len(started) == 3:
            raise KeyboardInterrupt
        seed(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(SeedEachEpoch, "on_train_epoch_start", interrupt)
        assert cli.main(given) == 130
    assert len(list(tmp_path.rglob("metrics.json"))) == 2
    assert cli.main(given) == 0
    assert len(list(tmp_path.rglob("metrics.json"))) == 4
    table = next(tmp_path.rglob("table.md")).read_text()
    lines = [line for line in table.splitlines() if line.startswith(("| narrow", "| wide"))]
    assert "| 70.4 |" in lines[0]
    assert "±" in lines[0]
    assert "| 2 |" in lines[1]
    monkeypatch.setattr(ablation, "train_run", lambda *given: pytest.fail("trained again"))
    assert cli.main(given) == 0
    assert next(tmp_path.rglob("table.md")).read_text() == table
