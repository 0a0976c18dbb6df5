"""Small annotation files for the tests of this folder."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from poselab.synthetic import Settings, generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "annotations"


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Write content as JSON (Python's, so that NaN is possible) under a name."""

    def to_file(content: Any, name: str = "labels.json") -> Path:
        path: Path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return to_file


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve training and eight evaluation images that share nothing."""
    return generate(
        tmp_path_factory.mktemp("clean") / "instances", Settings(12, val=8, seed=4), workers=1
    )


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    """A copy of the same, to be changed."""
    return shutil.copytree(clean, tmp_path / "instances")
