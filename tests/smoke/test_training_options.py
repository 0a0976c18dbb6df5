"""Precision, clipping, accumulation, averaged weights, and where curves and images go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from flow import Train, words
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from poselab import cli
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.io.files import read_json


def checkpoint(folder: Path) -> dict[str, Any]:
    return dict(torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True))


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "32-true"])
def test_every_precision_trains(precision: str, train: Train) -> None:
    folder = train(f"trainer.precision={precision}", "experiment=quickstart/integral")
    assert read_json(folder / "metrics.json", "metrics")["AR"] is not None
    weights = checkpoint(folder)["state_dict"]
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert weights["net.neck.layers.0.0.weight"].dtype == torch.float32


def test_accumulation_takes_fewer_steps(train: Train) -> None:
    small = ("data.batch_size=8",)
    every = checkpoint(train(*small, name="every"))["global_step"]
    third = checkpoint(train(*small, "trainer.accumulate_grad_batches=3", name="third"))
    assert every > 3
    assert third["global_step"] == -(-every // 3)


def test_clipping_bounds_the_step(train: Train, instances: Path) -> None:
    """Plain gradient descent moves no further than rate × norm × steps."""
    plain = ("optimizer=sgd", "optimizer.lr=1.0", "schedule=constant")
    plain += ("optimizer.nesterov=false", "optimizer.momentum=0.0")
    folder = train(*plain, "trainer.gradient_clip_val=0.001")
    made = checkpoint(folder)
    config, _ = compose("train", words(instances, folder, *plain)[1:])
    import pytorch_lightning as pl

    pl.seed_everything(0, verbose=False)
    start = build.module(config, build.data(config).skeleton)
    moved = [
        (made["state_dict"][name] - value.detach()).square().sum()
        for name, value in start.named_parameters()
    ]
    distance = float(torch.stack(moved).sum().sqrt())
    assert 0 < distance <= 0.001 * made["global_step"] * 1.001


def test_averaged_weights_are_validated_and_kept(train: Train) -> None:
    folder = train("ema=0.9", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=2")
    made = checkpoint(folder)
    current, averaged = made["current_model_state"], made["state_dict"]
    name = "net.head.final_layer.weight"
    assert not torch.equal(current[name], averaged[name])
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(best[name], averaged[name])
    module, _, _ = build.load(folder / "checkpoints" / "best.ckpt")
    assert torch.equal(module.state_dict()[name], averaged[name])


def test_of_equal_epochs_the_last_is_best(train: Train) -> None:
    """Nothing is learned, and AP stays at 0."""
    folder = train("trainer.max_epochs=3", "optimizer.lr=1e-9", "schedule=constant")
    assert read_json(folder / "metrics.json", "metrics")["AP"] == 0
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 2


def test_scores_that_rank_nothing_warn(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("postprocess.keypoint_threshold=0.999")
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning:" in line]
    assert "scores are 0, so the order of the file ranks the poses" in warning
    train("postprocess.keypoint_threshold=null", name="all")
    assert "warning:" not in capsys.readouterr().err


def test_the_environment_names_the_machine(run: Path) -> None:
    named = read_json(run / "run.json", "a manifest")["environment"]
    assert named["processor"].startswith(f"{os.cpu_count()} × ")
    assert len(named["processor"]) > len(f"{os.cpu_count()} × ")
    assert len(named["gpus"]) == torch.cuda.device_count()


def test_tensorboard_gets_config_curves_and_images(train: Train) -> None:
    folder = train("logger=tensorboard", "trainer.max_epochs=2")
    (place,) = {file.parent for file in folder.rglob("events.out.tfevents*")}
    events = EventAccumulator(str(place)).Reload()
    tags = events.Tags()
    assert {"train/loss", "val/loss", "val/AP"} <= set(tags["scalars"])
    assert len(events.Scalars("val/AP")) == 2
    assert len([tag for tag in tags["images"] if tag.startswith("val/pose_")]) == 8
    assert "sigma" in (place / "hparams.yaml").read_text()


def test_wandb_works_offline_inside_the_run(
    instances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    assert cli.main(words(instances, folder, "logger=wandb")) == 0

    assert not [path for path in home.rglob("*") if "wandb" in path.name.lower()]
    assert {path.name for path in tmp_path.iterdir()} == {"home", "run"}
    (log,) = folder.rglob("*.wandb")
    content = log.read_bytes()
    assert b"val/AP" in content
    assert b"train/loss" in content
    assert b"sigma" in content
    assert len(list(folder.rglob("media/images/val/*.png"))) == 8


def test_a_fast_dev_run_ends_well_and_keeps_nothing(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train("+trainer.fast_dev_run=true")
    out = capsys.readouterr().out.splitlines()
    assert out[-2].startswith("tried 1 batch(es) of training and of validation")
    assert out[-1] == f"run: {folder}"
    assert read_json(folder / "run.json", "a manifest")["state"] == "tried"
    assert not (folder / "metrics.json").exists()
    assert not list(folder.rglob("*.ckpt"))


def test_callbacks_travel_to_spawned_processes(instances: Path, tmp_path: Path) -> None:
    """As trainer.strategy=ddp_spawn needs."""
    import pickle

    from poselab.experiments import train as training

    config, _ = compose("train", words(instances, tmp_path / "run")[1:])
    data = build.data(config)
    evaluation = training._evaluation(build.evaluator(config), data, tmp_path, {})
    pickle.dumps(training._callbacks(config, data, tmp_path, evaluation))
