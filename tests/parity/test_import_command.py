"""poselab import-weights: a run that predicts at once, and one sentence for every error."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import reference_networks
import torch

import poselab
from poselab import cli
from poselab.evaluation.predictions import read_predictions
from poselab.experiments import build
from poselab.structures import InputError
from poselab.synthetic import Settings, generate


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SimpleBaseline's weights as PyTorch 0.4 saved them, by several devices."""
    state = reference_networks.randomise(reference_networks.PoseResNet()).state_dict()
    path = tmp_path_factory.mktemp("zoo") / "pose_resnet_50.pth"
    kept = {f"module.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(kept, path)
    return path


def imported(file: Path, model: str, out: Path) -> int:
    return cli.main(["import-weights", str(file), "--model", model, "--out", str(out)])


def test_the_run_predicts_at_once(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert imported(file, "simple_baseline_r50", run) == 0
    message = capsys.readouterr().out
    assert message.splitlines()[-1] == f"run: {run}"
    assert "left over: nothing" in message
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["imported"]["model"] == "simple_baseline_r50_256x192"
    assert manifest["cost"]["parameters"] == 33_999_697  # 34.0M in the paper
    module, config, skeleton = build.load(run / "checkpoints" / "best.ckpt")
    expected = torch.load(file, weights_only=True)["module.final_layer.bias"]
    assert torch.equal(module.state_dict()["net.head.final_layer.bias"], expected)
    assert (config.framing.pixels, config.flip_test, len(skeleton)) == ("hrnet", True, 17)
    noise = np.random.default_rng(0).integers(0, 255, (256, 192, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), noise)
    words = ["predict", str(run), str(tmp_path / "photo.png"), "--out", str(tmp_path / "found")]
    assert cli.main(words) == 0
    assert len(read_predictions(tmp_path / "found" / "predictions.json")) == 1
    assert imported(file, "simple_baseline_r50", run) == 1
    assert "files in it" in capsys.readouterr().err


def test_the_run_validates_at_once(file: Path, tmp_path: Path) -> None:
    instances, run = (
        generate(tmp_path / "instances", Settings(2, val=2), workers=1),
        tmp_path / "run",
    )
    words = ["import-weights", str(file), "--model", "simple_baseline_r50", "--out", str(run)]
    assert cli.main([*words, "--set", f"data.sources.root={instances}", "data.workers=0"]) == 0
    comparability = json.loads((run / "run.json").read_text())["comparability"]
    assert (comparability["flip_shift"], comparability["pixels"]) == (1, "hrnet")
    assert not {"training", "overlap"} & comparability.keys()  # the authors trained elsewhere
    assert cli.main(["decode", str(run), "quarter", "argmax", "--replicates", "10"]) == 0
    found = read_predictions(run / "predictions" / "quarter.json")
    labels = json.loads((instances / "annotations/person_keypoints_val2017.json").read_text())
    assert len(found) == sum(a["num_keypoints"] > 0 for a in labels["annotations"])


def test_a_file_loads_without_a_run(file: Path, tmp_path: Path) -> None:
    named = tmp_path / "pose_resnet_50.pth"
    named.symlink_to(file)
    image = np.random.default_rng(0).integers(0, 255, (256, 192, 3), dtype=np.uint8)
    by_model, by_file_name = (
        poselab.load(source, model).predict(image).predictions
        for source, model in ((file, "simple_baseline_r50"), (named, None))
    )
    assert by_model.keypoints.shape == (1, 17, 2)
    assert np.array_equal(by_model.keypoints, by_file_name.keypoints)
    with pytest.raises(InputError, match="name of a pretrained model, got 'weights'"):
        poselab.load(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hrnet_w32", "expected the weights of this model, found none for net.backbone.net.conv2"),
        ("simple_baseline_r101", "found none for net.backbone.net.layer3.6.conv1.weight"),
        ("mmpose_rle_r50", "found nothing that fits 'head.fc.weight'; choose the model"),
        ("hrnett_w32", "got 'hrnett_w32'; did you mean"),
        ("vitpose+_base", "got vitpose+_base: ViTPose+ has a mixture of experts"),
    ],
)
def test_other_models_fail(
    model: str, message: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(file, model, tmp_path / "run") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_files_without_weights_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (None, b"", b"not a checkpoint"):
        if content is not None:
            (tmp_path / "x.pth").write_bytes(content)
        assert imported(tmp_path / "x.pth", "hrnet_w32", tmp_path / "run") == 1
        error = capsys.readouterr().err
        assert "expected a" in error
        assert error.count("\n") == 1


def test_an_unknown_key_fails(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(file, weights_only=True)
    torch.save({**state, "ema.decay": torch.ones(1)}, tmp_path / "more.pth")
    assert imported(tmp_path / "more.pth", "simple_baseline_r50", tmp_path / "run") == 1
    assert "found the unknown ema.decay" in capsys.readouterr().err


def test_help_lists_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import-weights", "--help"]) == 0
    message = capsys.readouterr().out
    assert "poselab import-weights pose_hrnet_w32_256x192.pth --model hrnet_w32_256x192" in message
    assert "leoxiaobin/deep-high-resolution-net.pytorch" in message
