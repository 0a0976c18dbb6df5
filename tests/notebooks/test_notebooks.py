"""Notebooks run as they stand, on few images, and are shipped with what they show."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture
def main_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What a notebook's own names live in."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def test_there_are_notebooks() -> None:
    guides = {"bench", "errors", "first_comparison", "intervals", "own_method", "speed"}
    assert {path.stem for path in NOTEBOOKS} == guides


@pytest.mark.filterwarnings("ignore:.*non-interactive.*")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_runs(
    notebook: Path, main_module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSELAB_IMAGES", "24")
    before = mpl.get_backend()
    plt.switch_backend("svg")  # stands for a notebook's own
    try:
        for n, cell in enumerate(code_cells(notebook)):
            code = compile("".join(cell["source"]), f"{notebook.name}[{n}]", "exec")
            exec(code, vars(main_module))
        assert mpl.get_backend() == "svg"  # else figures would no longer be shown
    finally:
        plt.close("all")
        plt.switch_backend(before)
    assert (tmp_path / "output" / notebook.stem).is_dir()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored_small_and_without_places(notebook: Path) -> None:
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert not re.search(r"(?<![\w.])/(home|root|Users|tmp|work|opt|usr)/", text)
