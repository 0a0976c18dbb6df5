"""Hush what libraries say to nobody in particular; real warnings stay."""

from __future__ import annotations

import logging
import warnings

_CHATTER = (
    "pytorch_lightning.utilities.rank_zero",  # which devices there are, what else one could install
    "lightning_fabric.utilities.rank_zero",
    "lightning_fabric.utilities.seed",
    "torch.distributed.nn.jit.instantiator",
)

_WARNINGS = (
    r".*treespec, LeafSpec.* is deprecated",  # between Lightning and torch
    r".*smaller than the logging interval",  # curves are of epochs
    r".*does not have many workers",  # data.workers is the config's to choose
    r".*Checkpoint directory .* exists and is not empty",  # so it is when a run goes on
    r".*Experiment logs directory .* exists",
    r".*tensorboardX. has been removed",
    r".*module\(s\) in eval mode at the start of training",  # normalisation that is kept as it is
)


def quiet() -> None:
    """Filter by logger and by message, before any of those libraries is imported."""
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
