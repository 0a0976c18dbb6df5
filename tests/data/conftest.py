"""A small generated dataset, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from poselab.datasets import coco
from poselab.datasets.base import Split
from poselab.synthetic import Settings, generate


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("instances"), Settings(24, val=8, seed=4), workers=1)


@pytest.fixture(scope="session")
def split(root: Path) -> Split:
    return coco.files(root).train.open()
