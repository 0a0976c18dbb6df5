"""The device that a command's networks run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse


def add_device(words: argparse.ArgumentParser) -> None:
    """Add ``--device`` to a command's words."""
    words.add_argument("--device", default="auto", help="cpu, cuda, ... (the best there is)")


def usable_device(name: str) -> str:
    """The device meant by a name, tried out.

    Raises:
        InputError: this machine has no such device.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise InputError(
            f"expected --device to name a device of this machine, got {name!r}; use auto or cpu"
        ) from None
    return name
