"""One checkpoint decoded by every decoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from flow import Train

from poselab import cli
from poselab.codecs.heatmap import HeatmapCodec
from poselab.evaluation.comparability import read_comparability
from poselab.evaluation.predictions import read_predictions
from poselab.modules.pose_module import PoseModule

QUICK = ["--replicates", "20"]


@pytest.fixture
def trained(train: Train) -> Path:
    """A run that is trained a little, so that decoders differ."""
    return train("trainer.max_epochs=14", "augment=none", "optimizer.lr=0.01", "data.batch_size=8")


def test_every_decoder_reads_the_same_heatmaps(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["decode", str(trained), *QUICK]) == 0
    out = trained / "decoders"
    files = {name: trained / "predictions" / f"{name}.json" for name in HeatmapCodec.decoders}
    predictions = {name: read_predictions(file) for name, file in files.items()}
    assert read_comparability(files["udp"]) == read_comparability(trained) != {}
    values = {
        method["name"]: method["metrics"]["AP"]["value"]
        for method in json.loads((out / "comparison.json").read_text())["methods"]
    }
    assert set(values) == set(HeatmapCodec.decoders)
    recorded = json.loads((trained / "metrics.json").read_text())["AP"]
    assert recorded > 0
    assert values["dark"] == pytest.approx(recorded, abs=1e-12)  # the run's own
    assert not np.allclose(predictions["argmax"].keypoints, predictions["dark"].keypoints, atol=0.1)
    assert np.abs(predictions["quarter"].keypoints - predictions["dark"].keypoints).max() < 40

    def never(self: PoseModule, image: object) -> None:
        raise AssertionError("the heatmaps are kept")

    monkeypatch.setattr(PoseModule, "forward", never)
    assert cli.main(["decode", str(trained), "argmax", "udp", *QUICK]) == 0
    message = capsys.readouterr()
    assert "reusing heatmaps" in message.err
    assert "the run itself decodes by dark" in message.out


def test_half_precision_takes_half_the_disk(trained: Path) -> None:
    files = {}
    for precision in ("float32", "float16"):
        out = trained / precision
        words = ["decode", str(trained), "dark", "--precision", precision, "--out", str(out)]
        assert cli.main([*words, *QUICK]) == 0
        files[precision] = read_predictions(out / "dark.json").keypoints
    sizes = sorted(file.stat().st_size for file in (trained / "raw").rglob("outputs.npy"))
    assert sizes[1] == pytest.approx(2 * sizes[0], rel=0.01)
    assert np.median(np.abs(files["float32"] - files["float16"])) < 0.05


def test_an_unknown_decoder_fails(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["decode", str(trained), "best"]) == 1
    assert "decoder out of" in capsys.readouterr().err
    for wrong in ("--replicates", "--batch-size"):
        assert cli.main(["decode", str(trained), "dark", wrong, "0"]) == 2
        (message,) = capsys.readouterr().err.splitlines()
        assert f"expected {wrong} to be a whole number from 1 " in message


def test_a_run_without_heatmaps_fails(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["decode", str(run)]) == 1
    assert "several decoders" in capsys.readouterr().err


def test_other_boxes_run_the_network_again(trained: Path, instances: Path, tmp_path: Path) -> None:
    labels = json.loads((instances / "annotations/person_keypoints_val2017.json").read_text())
    found = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": 0.5}
        for a in labels["annotations"][::2]
    ]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(found))
    words = ["decode", str(trained), "dark", "--boxes", str(boxes), *QUICK]
    assert cli.main(words) == 1  # they would overwrite what is the run's
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 0
    assert len(read_predictions(tmp_path / "out" / "dark.json")) == len(found)
    record = json.loads((tmp_path / "out" / "comparison.json").read_text())["methods"][0]
    assert record["comparability"]["run"]["boxes"]["kind"] == "detected"
