"""A run that is ended in its report has trained, and its report can be written later."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow import words

import poselab
from poselab import cli
from poselab.experiments import reporting, runs
from poselab.experiments.run import Run
from poselab.io.files import read_json
from poselab.structures import InputError
from poselab.training.callbacks import SeedEachEpoch

SENTENCE = "poselab train: interrupted; finished epochs are kept\n"
WITH_REPORT = ("report={replicates: 20}", "trainer.max_epochs=2")


@pytest.fixture
def _terminable() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def as_own_process(given: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command as the console script does: with its answer to signals."""
    monkeypatch.setattr(sys, "argv", ["poselab", *given])
    return cli.main()


def terminate(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def unreported(
    instances: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    _terminable: None,
) -> Path:
    """A run whose process the system ended while it drew the page."""
    with monkeypatch.context() as patch:
        patch.setattr(reporting, "write_page", terminate)
        assert as_own_process(words(instances, tmp_path / "run", *WITH_REPORT), patch) == 143
    assert capsys.readouterr().err.endswith(SENTENCE)
    return tmp_path / "run"


@pytest.mark.usefixtures("_terminable")
def test_sigterm_in_an_epoch(
    instances: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(SeedEachEpoch, "on_train_epoch_start", terminate)
    assert as_own_process(words(instances, tmp_path / "run"), monkeypatch) == 143
    assert capsys.readouterr().err.endswith(SENTENCE)
    assert runs.read_manifest(tmp_path / "run")["state"] == "running"
    with pytest.raises(InputError, match="interrupted; go on with `poselab train resume="):
        poselab.write_report(tmp_path / "run")


def test_sigterm_in_the_report(unreported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(unreported)
    assert str(run) == f"{unreported}: trained, not reported"
    assert not run.is_finished
    with pytest.raises(InputError, match=f"write its metrics with `poselab report {unreported}`"):
        run.metrics  # noqa: B018
    weights = (unreported / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert cli.main(["report", str(unreported), "report.replicates=30"]) == 0
    out = capsys.readouterr().out
    assert "epoch" not in out
    assert "AP50" in out
    assert run.is_finished
    assert run.config.report.replicates == 30
    assert run.metrics.interval
    assert (unreported / "index.html").is_file()
    assert (unreported / "checkpoints" / "last.ckpt").stat().st_mtime_ns == weights


def test_resuming_writes_only_the_report(
    unreported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(unreported, tmp_path / "longer")
    assert cli.main(["train", f"resume={unreported}"]) == 0
    assert "epoch" not in capsys.readouterr().out
    assert Run(unreported).is_finished
    changes = ("trainer.max_epochs=3", "report.replicates=0")
    assert cli.main(["train", f"resume={tmp_path / 'longer'}", *changes]) == 0
    assert "epoch 3/3" in capsys.readouterr().out


def test_a_report_of_a_run_without_one(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = (folder / "predictions" / "val.json").read_text()
    (folder / "predictions" / "val.json").unlink()
    made = poselab.write_report(folder, {"report.replicates": 10})
    assert (folder / "predictions" / "val.json").read_text() == before
    assert made.metrics.values == Run(run).metrics.values
    assert made.metrics.interval
    for change in ("trainer.max_epochs=20", "seed=3", "report.replicate=5"):
        with pytest.raises(InputError, match=r"when reporting|report\.replicates"):
            poselab.write_report(folder, [change])


@pytest.mark.slow
def test_sigterm_in_the_report_of_a_real_process(instances: Path, tmp_path: Path) -> None:
    given = words(instances, tmp_path / "run", "report={replicates: 100000}")
    with subprocess.Popen(
        [sys.executable, "-m", "poselab", *given],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        reported = any(line.startswith("resampling") for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=60)[1]
    assert reported, err
    assert process.returncode == 143
    assert err.endswith(SENTENCE)
    assert "Traceback" not in err
    record = read_json(tmp_path / "run" / "run.json", "a run's manifest")
    assert record["state"] == "trained"
    assert not (tmp_path / "run" / "metrics.json").exists()
