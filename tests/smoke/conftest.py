"""Tiny generated datasets, and the commands run in this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from flow import Train, words

from poselab import cli
from poselab.synthetic import Settings, generate

PEOPLE = Settings(24, val=8, seed=4)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Lightning ignores Ctrl-C for good after the first one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="session")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training and 8 validation images in COCO's layout."""
    return generate(tmp_path_factory.mktemp("coco") / "instances", PEOPLE, workers=1)


@pytest.fixture(scope="session")
def mpii_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in MPII's layout."""
    settings = replace(PEOPLE, layout="mpii")
    return generate(tmp_path_factory.mktemp("mpii") / "instances", settings, workers=1)


@pytest.fixture(scope="session")
def run(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that is trained a little, for tests that only read it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    changes = ["experiment=quickstart/integral", "trainer.max_epochs=12", "data.batch_size=8"]
    assert cli.main(words(instances, folder, *changes, "optimizer.lr=0.01", "augment=none")) == 0
    return folder


@pytest.fixture
def train(instances: Path, tmp_path: Path) -> Train:
    """Train with some changes; the run's folder."""

    def go(*changes: str, name: str = "run") -> Path:
        assert cli.main(words(instances, tmp_path / name, *changes)) == 0
        return tmp_path / name

    return go
