"""The device that a command's networks run on, and how many devices a training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse

    from omegaconf import DictConfig


def add_device(arguments: argparse.ArgumentParser) -> None:
    """Add ``--device`` to a command's arguments."""
    arguments.add_argument(
        "--device", default="auto", help="cpu, cuda, ... (a GPU if there is one)"
    )


def usable_device(name: str) -> str:
    """The device of a name, after checking that torch can use it.

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


def count_devices(trainer: DictConfig) -> int:
    """How many devices, on all nodes together, a trainer's config asks for.

    Raises:
        InputError: ``devices`` is neither a number, nor a list, nor ``auto``.
    """
    devices = trainer.devices
    if isinstance(devices, str) and "," in devices:
        devices = [part for part in devices.split(",") if part]
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        count = len(devices)
    elif str(devices) in ("auto", "-1"):
        count = _available_devices(trainer.accelerator)
    elif str(devices).isdigit():
        count = int(devices)
    else:
        raise InputError(
            f"expected trainer.devices to be a number, a list or auto, got {devices}; correct it"
        )
    return count * int(trainer.get("num_nodes", 1))


def _available_devices(accelerator: str) -> int:
    if accelerator == "cpu":
        return 1
    import torch

    return max(torch.cuda.device_count(), 1)
