"""The total batch of a training step, and the one that a recipe was published with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.experiments.device import count_devices
from poselab.structures import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def total_batch(config: DictConfig) -> int:
    """Images behind one optimiser step: of all devices and all accumulated batches."""
    accumulated = int(config.trainer.accumulate_grad_batches)
    return count_devices(config.trainer) * int(config.data.batch_size) * accumulated


def total_batch_warning(config: DictConfig) -> str | None:
    """One sentence where the run's total batch is not the published one."""
    published, ours = config.published.get("batch"), total_batch(config)
    if published in (None, ours):
        return None
    return (
        f"this recipe was published with a total batch of {published}, here it is {ours} "
        f"({count_devices(config.trainer)} x {config.data.batch_size} on each device, "
        f"{config.trainer.accumulate_grad_batches} accumulated); batch=published makes them equal"
    )


def scale_total_batch(config: DictConfig) -> None:
    """Where ``batch=published``, accumulate batches until their total is the published one.

    Where that cannot be reached with the batch size of a device, the next smaller one that fits
    is taken. Batch normalisation sees single batches all the same.

    Raises:
        InputError: the recipe names no total batch, or it cannot be shared among the devices.
    """
    if config.batch is None:
        return
    if config.batch != "published":
        raise InputError(
            f"expected batch to be published or null, got {config.batch}; set data.batch_size "
            "and trainer.accumulate_grad_batches for any other total"
        )
    published, devices = config.published.get("batch"), count_devices(config.trainer)
    if published is None:
        raise InputError(
            "expected a recipe with a published total batch for batch=published, got one without; "
            "set data.batch_size and trainer.accumulate_grad_batches"
        )
    if published % devices:
        raise InputError(
            f"expected devices that can share a total batch of {published}, got {devices}; "
            "choose trainer.devices that divide it"
        )
    share = published // devices
    size = next(n for n in range(min(int(config.data.batch_size), share), 0, -1) if share % n == 0)
    config.data.batch_size, config.trainer.accumulate_grad_batches = size, share // size
    config.batch = None
