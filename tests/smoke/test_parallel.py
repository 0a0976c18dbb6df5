"""Experiments trained side by side, a process each, come out as if trained one by one."""

from __future__ import annotations

import time
from io import StringIO
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from flow import Train, long_training, words

from poselab.experiments import parallel
from poselab.experiments.parallel import LabelledLines, parallel_runs, train_in_parallel
from poselab.io.files import read_json
from poselab.structures import InputError

EXPERIMENTS = ("quickstart/heatmap", "quickstart/integral")


def test_every_line_starts_with_the_label() -> None:
    stream = StringIO()
    labelled = LabelledLines(stream, "heatmap  ")
    print("epoch 1/2", "loss 3", sep="\n", file=labelled)
    labelled.write("half a ")
    assert stream.getvalue() == "heatmap  epoch 1/2\nheatmap  loss 3\n"
    labelled.write("line\n")
    assert stream.getvalue().endswith("\nheatmap  half a line\n")
    assert not labelled.isatty()


@pytest.mark.parametrize(
    ("accelerators", "threads", "expected"),
    [("cpu cpu cpu cpu", 2, 2), ("cpu cpu", 8, 2), ("cpu auto", 8, 1), ("cpu", 8, 1), ("", 8, 1)],
)
def test_only_runs_on_the_cpu_share_its_cores(
    monkeypatch: pytest.MonkeyPatch, accelerators: str, threads: int, expected: int
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    configs: list[Any] = [
        SimpleNamespace(trainer=SimpleNamespace(accelerator=name)) for name in accelerators.split()
    ]
    assert parallel_runs(configs) == expected


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupted_suite_ends_its_processes(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(started: Any) -> Any:
        while not any(training.running() for training in started):
            time.sleep(0.01)
        raise stop

    monkeypatch.setattr(parallel, "_train", long_training)
    monkeypatch.setattr(parallel, "as_completed", stopped)
    folders = {name: tmp_path / name for name in EXPERIMENTS}
    start = time.monotonic()
    with pytest.raises(type(stop)):
        train_in_parallel(folders, [], processes=2)
    assert time.monotonic() - start < 30
    assert active_children() == []


def test_runs_do_not_depend_on_their_neighbours(
    instances: Path, tmp_path: Path, train: Train, capfd: Any
) -> None:
    changes = [
        word
        for word in words(instances, tmp_path)[1:]
        if not word.startswith(("experiment=", "folder="))
    ]
    folders = {name: tmp_path / name for name in EXPERIMENTS}
    train_in_parallel(folders, changes, processes=2)
    lines = capfd.readouterr().out.splitlines()
    for name, folder in folders.items():
        label = f"{name.rpartition('/')[2]:8}  epoch 1/1  "
        assert any(line.startswith(label) for line in lines)
        alone = train(*changes, f"experiment={name}", name="alone/" + name)
        values = [read_json(run / "metrics.json", "metrics") for run in (folder, alone)]
        assert values[0] == values[1]


def test_the_error_of_a_process_is_the_error_of_the_suite(tmp_path: Path) -> None:
    missing = [f"data.sources.root={tmp_path / 'nowhere'}", "data=coco"]
    with pytest.raises(InputError, match="nowhere"):
        train_in_parallel({EXPERIMENTS[0]: tmp_path / "run"}, missing, processes=1)
