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
    """Names SUITE/NAME of all configs of a group such as ``experiment``, those in ``own`` too.

    A suite may lie in another's folder; files named _* are parts of others.
    """
    places = [folder / group for folder in (conf_folder(), *own)]
    files = [(place, file) for place in places for file in place.glob("*/**/[!_]*.yaml")]
    return sorted({file.relative_to(place).with_suffix("").as_posix() for place, file in files})
