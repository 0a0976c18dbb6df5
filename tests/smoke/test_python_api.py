"""The Python API: what it returns, and that it is what the commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from flow import words

import poselab
from poselab import cli
from poselab.evaluation.predictions import read_predictions
from poselab.experiments.api import override_words
from poselab.experiments.config.compose import compose
from poselab.experiments.run import Run
from poselab.io.files import read_json
from poselab.io.images import read_image
from poselab.structures import InputError


def test_import_is_light_until_a_function_is_used() -> None:
    code = (
        "import sys, poselab; names = dir(poselab)\n"
        "assert {'train', 'resume', 'load', 'predict', 'evaluate', 'compare'} <= set(names)\n"
        "heavy = {'torch', 'numpy', 'hydra', 'pytorch_lightning'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert not hasattr(poselab, 'trian')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_trained_run_as_an_object(instances: Path, tmp_path: Path) -> None:
    changes = dict(word.split("=", 1) for word in words(instances, tmp_path / "run")[1:])
    experiment = changes.pop("experiment")
    run = poselab.train(experiment, [f"{key}={value}" for key, value in changes.items()])
    assert run.folder == tmp_path / "run"
    assert run.is_finished
    record = read_json(run.folder / "metrics.json", "metrics")
    assert run.metrics.to_json() == record
    assert run.predictions.keypoints.shape[1:] == (17, 2)
    assert run.experiment == experiment
    assert run.manifest["cost"]["parameters"] == sum(
        parameter.numel() for parameter in run.module().net.parameters()
    )
    assert "AP50" in str(run)
    again = poselab.resume(run.folder)
    assert again == run
    longer = poselab.resume(run, {"trainer.max_epochs": 2})
    assert longer.config.trainer.max_epochs == 2


def test_overrides_of_a_mapping_compose_as_words() -> None:
    overrides = {
        "framing.size": [128, 96],
        "method": "direct",
        "augment": "none",
        "weights": Path("a, b=c's {run}"),
        "ema": None,
        "flip_test": False,
        "optimizer.lr": 1e-4,
        "+backbone.note": "true",
    }
    config, choices = compose("train", override_words(overrides))
    assert (list(config.framing.size), choices["method"]) == ([128, 96], "direct")
    assert choices["augment"] == "none"
    assert config.weights == "a, b=c's {run}"
    assert (config.ema, config.flip_test, config.optimizer.lr) == (None, False, 1e-4)
    assert config.backbone.note == "true"


def test_images_may_be_files_folders_or_arrays(run: Path, instances: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for image in sorted((instances / "val2017").iterdir())[:3]:
        cv2.imwrite(str(photos / f"{image.stem}.png"), read_image(image)[:, :, ::-1])
    predictor = poselab.load(run)
    files = sorted(photos.iterdir())
    of_folder, of_files, of_arrays = (
        predictor.predict(images) for images in (photos, files, [read_image(f) for f in files])
    )
    for poses in (of_files, of_arrays):
        assert np.array_equal(poses.predictions.keypoints, of_folder.predictions.keypoints)
    assert [image.name for image in of_folder.images] == [file.name for file in files]
    assert [len(poses) for poses in of_folder] == [1, 1, 1]
    assert of_arrays.draw(1).shape == read_image(files[1]).shape
    assert files[0].name in str(of_folder)
    with pytest.raises(InputError, match="uint8 array"):
        predictor.predict(np.zeros((8, 8)))
    of_arrays.write(tmp_path / "written")
    assert len(list((tmp_path / "written" / "images").iterdir())) == 3


def test_predict_writes_what_the_command_writes(run: Path, instances: Path, tmp_path: Path) -> None:
    images = instances / "val2017"
    assert cli.main(["predict", str(run), str(images), "--out", str(tmp_path / "command")]) == 0
    poselab.predict(run / "checkpoints" / "best.ckpt", images).write(tmp_path / "function")
    command, function = (
        {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        for folder in (tmp_path / "command", tmp_path / "function")
    )
    assert command.keys() == function.keys()
    # A checkpoint alone does not know what it was trained on.
    command.pop("predictions.comparability.json")
    assert command == {name: function[name] for name in command}


def test_a_run_is_a_path(run: Path) -> None:
    assert len(read_predictions(Path(Run(run)) / "predictions" / "val.json")) > 0


def test_check_tries_an_experiment_and_writes_nothing(
    instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = words(instances, tmp_path / "run", "trainer.max_epochs=10")[1:]
    assert cli.main(["check", *given]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for cell in ("parameters", "GMACs", "memory", "images/s", "10 epochs of", "on one batch"):
        assert cell in out
    assert not (tmp_path / "run").exists()
    assert cli.main(["check", *given, "data.sources.root=/nowhere"]) == 1
    assert "/nowhere" in capsys.readouterr().err


def test_progress_moves_where_no_terminal_shows_a_bar(
    instances: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from poselab.training import progress

    clock = iter(range(0, 100_000, 3))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    changes = ("data.batch_size=8", "trainer.num_sanity_val_steps=-1")
    assert cli.main(words(instances, tmp_path / "run", *changes)) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 1/1")]
    assert any("batches  loss " in line and line.endswith(" left") for line in lines)
    assert any("validating" in line for line in lines)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "finished"
