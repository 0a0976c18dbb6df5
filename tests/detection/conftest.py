"""Generated people, and a detector that learned a little of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from poselab import cli
from poselab.datasets import coco
from poselab.datasets.base import Split
from poselab.synthetic import Settings, generate


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 training and 12 validation images in COCO's layout."""
    settings = Settings(64, val=12, seed=4, turn=60.0)
    return generate(tmp_path_factory.mktemp("coco") / "instances", settings, workers=1)


@pytest.fixture(scope="session")
def val(instances: Path) -> Split:
    return coco.files(instances).val.open()


@pytest.fixture(scope="session")
def labels(instances: Path) -> Path:
    return instances / "annotations" / "person_keypoints_val2017.json"


@pytest.fixture(scope="session")
def trained(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `poselab detect train` leaves."""
    out = tmp_path_factory.mktemp("runs") / "detector"
    given = ["detect", "train", str(instances), "--out", str(out), "--device", "cpu"]
    assert cli.main([*given, "--epochs", "24", "--batch-size", "8"]) == 0
    return out
