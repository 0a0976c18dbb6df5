"""Imports go one way, light packages stay light, help is fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "poselab"

LAYERS = (
    {"keypoint_names"},
    {"structures"},
    {"geometry", "heatmaps", "skeletons", "outputs", "io"},
    {"ranges"},
    {"annotations"},
    {"datasets"},
    {"data", "synthetic", "grouping", "codecs", "models", "losses", "evaluation"},
    {"modules"},
    {"methods", "report", "detection"},
    {"training"},
    {"experiments"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
BESIDE = {("codecs", "grouping"), ("heatmaps", "geometry"), ("skeletons", "structures")}
WITHOUT_TORCH = (
    *("keypoint_names", "structures", "ranges", "skeletons", "geometry", "annotations"),
    *("datasets", "synthetic", "evaluation"),
)


def rooms_imported(file: Path) -> set[str]:
    """Packages of poselab that a file imports, in functions too, but not for type checkers only."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "poselab"
            names |= {f"poselab.{alias.name}" for alias in node.names} if whole else {node.module}
    return {name.split(".")[1] for name in names if name.startswith("poselab.")}


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: f.stem)
def test_imports_go_one_way(file: Path) -> None:
    here = room(file)
    if here in ("__init__", "__pycache__"):
        return
    for other in rooms_imported(file) - {here, "__version__"}:
        allowed = LEVEL[other] < LEVEL[here] or (here, other) in BESIDE
        assert allowed, f"{file.relative_to(PACKAGE)} must not import poselab.{other}"


def test_the_rule_catches_a_forbidden_import(tmp_path: Path) -> None:
    file = tmp_path / "structures.py"
    file.write_text("def f():\n    from poselab import cli\n    import poselab.data.framing\n")
    assert rooms_imported(file) == {"cli", "data"}


def test_light_rooms_import_without_torch() -> None:
    modules = [
        ".".join(("poselab", *file.relative_to(PACKAGE).with_suffix("").parts))
        for file in sorted(PACKAGE.rglob("*.py"))
        if room(file) in (*WITHOUT_TORCH, "report") and file.stem != "__init__"
    ]
    code = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\n"
    code += "heavy = {'torch', 'pytorch_lightning', 'timm'} & set(sys.modules)\n"
    code += "assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["evaluate", "--help"], ["list", "models"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys; from poselab.cli import main; status = main({words!r})\n"
    code += "heavy = {'torch', 'hydra', 'scipy', 'matplotlib', 'cv2'} & set(sys.modules)\n"
    code += "assert not status and not heavy, (status, heavy)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
