"""Small annotation files for the tests of this folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

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
