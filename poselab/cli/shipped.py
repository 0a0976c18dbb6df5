"""The configs that PoseLab ships, found without Hydra."""

from __future__ import annotations

from pathlib import Path

import poselab


def conf_folder() -> Path:
    """Where the shipped configs lie: inside an installed package, or beside it in a checkout."""
    package = Path(poselab.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def shipped(group: str) -> list[str]:
    """Names SUITE/NAME of all configs of a group such as ``experiment``."""
    files = sorted((conf_folder() / group).glob("*/*.yaml"))
    return [f"{file.parent.name}/{file.stem}" for file in files]
