"""An interrupted run ends as if it had not been interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from flow import words

from poselab import cli
from poselab.experiments import runs
from poselab.experiments.resume import with_changes
from poselab.training.callbacks import SeedEachEpoch

EPOCHS = "trainer.max_epochs=4"

DIES_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from poselab import cli

class Fatal(type(Path())):
    saved = 0

rename = Path.replace
def replace(self, target):
    if target.name == "last.ckpt":
        Fatal.saved += 1
        if Fatal.saved == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)

Path.replace = replace
cli.main(sys.argv[1:])
"""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return dict(content["state_dict"])


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def stop_at(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C at the start of an epoch."""
    seed = SeedEachEpoch.on_train_epoch_start

    def interrupt(self: Any, trainer: Any, module: Any) -> None:
        seed(self, trainer, module)
        if trainer.current_epoch == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(SeedEachEpoch, "on_train_epoch_start", interrupt)


@pytest.fixture(scope="module")
def straight(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four epochs in one go; augmentation, shuffling, AdamW's moments and a schedule all matter."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    assert cli.main(words(instances, folder, EPOCHS)) == 0
    return folder


def test_runs_with_equal_seeds_are_equal(straight: Path, instances: Path, tmp_path: Path) -> None:
    assert cli.main(words(instances, tmp_path / "again", EPOCHS)) == 0
    assert_equal(weights(tmp_path / "again"), weights(straight))
    assert cli.main(words(instances, tmp_path / "other", EPOCHS, "seed=1")) == 0
    ours, theirs = weights(tmp_path / "other"), weights(straight)
    assert not all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_an_interrupted_run_goes_on_exactly(
    straight: Path,
    instances: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        stop_at(2, patch)
        assert cli.main(words(instances, tmp_path / "run", EPOCHS)) == 130
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "interrupted" in err
    assert not runs.is_finished(tmp_path / "run")
    assert cli.main(["train", f"resume={tmp_path / 'run'}"]) == 0
    out = capsys.readouterr().out
    assert "epoch 3/4" in out
    assert "epoch 2/4" not in out
    assert_equal(weights(tmp_path / "run"), weights(straight))
    same = [(folder / "metrics.json").read_text() for folder in (tmp_path / "run", straight)]
    assert same[0] == same[1]


def test_averaged_weights_go_on_exactly(
    instances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("trainer.max_epochs=3", "ema=0.9", "trainer.accumulate_grad_batches=2")
    flags += ("data.batch_size=8", "trainer.gradient_clip_val=0.1", "data.workers=1")
    assert cli.main(words(instances, tmp_path / "straight", *flags)) == 0
    with monkeypatch.context() as patch:
        stop_at(1, patch)
        assert cli.main(words(instances, tmp_path / "run", *flags)) == 130
    assert cli.main(["train", f"resume={tmp_path / 'run'}"]) == 0
    assert_equal(weights(tmp_path / "run"), weights(tmp_path / "straight"))


def test_a_moved_run_keeps_its_best_checkpoint(straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(straight, folder)
    best, last = folder / "checkpoints" / "best.ckpt", folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    (state,) = (s for key, s in content["callbacks"].items() if "val/AP" in key)
    state["best_model_score"] = state["kth_value"] = torch.tensor(0.99)
    state["best_k_models"] = dict.fromkeys(state["best_k_models"], torch.tensor(0.99))
    torch.save(content, last)
    before = best.read_bytes()
    assert cli.main(["train", f"resume={folder}", "trainer.max_epochs=5"]) == 0
    assert best.read_bytes() == before


def test_a_finished_run_is_not_trained_again_but_longer(
    straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(straight, folder)
    before = (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert cli.main(["train", f"resume={folder}"]) == 0
    assert capsys.readouterr().out == f"run: {folder}\n"
    assert (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    assert cli.main(["train", f"resume={folder}", "trainer.max_epochs=5"]) == 0
    assert "epoch 5/5" in capsys.readouterr().out
    assert runs.load_run(folder)[0].trainer.max_epochs == 5


@pytest.mark.parametrize(
    "change",
    [
        *("method.codec.sigma=3", "optimizer.lr=0.1", "trainer.precision=bf16-mixed", "seed=1"),
        *("flip_test=false", "data.batch_size=8", "framing.padding=2.0", "folder=elsewhere"),
        "trainer.max_epochs=3",
    ],
)
def test_changes_that_make_another_run_fail(
    change: str, straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(straight, folder)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert cli.main(["train", f"resume={folder}", "trainer.max_epochs=5", change]) == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith("poselab train: expected ")
    assert change.rpartition("=")[2] in message
    assert "train a new run" in message
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_changes_that_only_observe_a_run(straight: Path) -> None:
    config, _ = runs.load_run(straight)
    free = ["data.workers=2", "trainer.devices=1", "runs=there", "trainer.log_every_n_steps=1"]
    same = [f"method.codec.sigma={config.method.codec.sigma}", f"seed={config.seed}"]
    made = with_changes(straight, config, [*free, *same])
    assert (made.data.workers, made.runs) == (2, "there")


def test_other_annotations_fail_and_moved_ones_do_not(
    instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = tmp_path / "run", tmp_path / "instances"
    shutil.copytree(instances, data)
    assert cli.main(words(data, folder)) == 0
    longer = ["train", f"resume={folder}", "trainer.max_epochs=2"]
    for split, told in (("train", "the train annotations"), ("val", "the val annotations")):
        file = data / "annotations" / f"person_keypoints_{split}2017.json"
        kept, manifest = file.read_bytes(), (folder / "run.json").read_bytes()
        content = json.loads(kept)
        content["annotations"][0]["keypoints"][0] += 1
        file.write_text(json.dumps(content))
        capsys.readouterr()
        assert cli.main(longer) == 1
        (message,) = capsys.readouterr().err.splitlines()
        assert told in message
        assert "restore them or train a new run" in message
        assert (folder / "run.json").read_bytes() == manifest
        file.write_bytes(kept)
    data.rename(tmp_path / "moved")
    assert cli.main([*longer, f"data.sources.root={tmp_path / 'moved'}"]) == 0


@pytest.mark.slow
def test_kill_9_while_saving_loses_one_epoch(
    straight: Path, instances: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    died = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_SAVING, *words(instances, folder, EPOCHS)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert died.returncode == -signal.SIGKILL
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["epoch"] == 1  # the third was being saved
    assert cli.main(["train", f"resume={folder}"]) == 0
    assert_equal(weights(folder), weights(straight))
    left = [path.name for path in folder.rglob(".*") if path.is_file()]
    assert left == []
