"""The configs that PoseLab ships, found without Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import poselab

if TYPE_CHECKING:
    from collections.abc import Sequence


def conf_folder() -> Path:
    """Where the shipped configs lie: inside an installed package, or beside it in a checkout."""
    package = Path(poselab.__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def shipped(group: str, own: Sequence[Path] = ()) -> list[str]:
    """Names SUITE/NAME of all configs of a group such as ``experiment``, those in ``own`` too."""
    files = [file for folder in (conf_folder(), *own) for file in (folder / group).glob("*/*.yaml")]
    return sorted({f"{file.parent.name}/{file.stem}" for file in files})
