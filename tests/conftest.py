"""What many tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("POSELAB_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a file of the real data by its relative path, or skip the test saying why."""

    def find(name: str) -> Path:
        path = (SHARED / name).resolve()
        if not path.exists():
            pytest.skip(f"needs real data: {name} is not there (POSELAB_DATA names its folder)")
        return path

    return find


@pytest.fixture(autouse=True)
def no_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its children would write to the standard output of the test that started it."""
    module = "poselab.experiments.training_processes"
    monkeypatch.setattr(f"{module}.start_fork_server", lambda: None)
