"""Modules whose code the user trusts beyond PoseLab's own: for one command or call, never kept."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VARIABLE = "POSELAB_TRUST"
"""An environment variable, which the processes of sweeps and of several devices inherit."""


@contextmanager
def trusting(modules: str | Sequence[str] | None) -> Iterator[None]:
    """Trust these modules (names, or "MODULE,MODULE") and no others until the block ends.

    None leaves those that are trusted already.
    """
    before = os.environ.get(_VARIABLE, "")
    if modules is not None:
        os.environ[_VARIABLE] = modules if isinstance(modules, str) else ",".join(modules)
    try:
        yield
    finally:
        os.environ[_VARIABLE] = before


def trusted_modules() -> list[str]:
    """The modules that are trusted now, by their names."""
    return [name for name in os.environ.get(_VARIABLE, "").split(",") if name]


def split_trust(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The modules of the words ``trust=MODULE,MODULE``, and the other words."""
    given = [word.removeprefix("trust=") for word in words if word.startswith("trust=")]
    rest = [word for word in words if not word.startswith("trust=")]
    return [name for names in given for name in names.split(",")], rest
