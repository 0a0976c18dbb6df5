"""Hides messages of libraries that a user cannot act on; other warnings stay."""

from __future__ import annotations

import logging
import warnings

_LOGGERS = (
    "pytorch_lightning.utilities.rank_zero",  # available devices, packages to install
    "lightning_fabric.utilities.rank_zero",
    "pytorch_lightning.trainer.connectors.signal_connector",  # that SIGTERM was received
    "lightning_fabric.utilities.seed",
    "torch.distributed.nn.jit.instantiator",
)

_WARNINGS = (
    r".*treespec, LeafSpec.* is deprecated",  # between Lightning and torch
    r".*smaller than the logging interval",  # curves have one point per epoch
    r".*`validation_step` but have no `val_dataloader`",  # `poselab check` trains alone
    r".*does not have many workers",  # data.workers says how many
    r".*Checkpoint directory .* exists and is not empty",  # as in every run that is resumed
    r".*Experiment logs directory .* exists",
    r".*tensorboardX. has been removed",
    r".*module\(s\) in eval mode at the start of training",  # frozen normalisation layers
)


def hide_library_messages() -> None:
    """Filter by logger and by message; call it before those libraries are imported."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
