"""Lightning's training loop, which restores the environment of the process afterwards."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytorch_lightning as pl

    from poselab.data import PoseData
    from poselab.modules import PoseModule

_LAUNCHER_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""Variables that Lightning leaves in the environment of a process that started others."""

_WANDB_VARIABLES = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")


def fit(trainer: pl.Trainer, module: PoseModule, data: PoseData, checkpoint: Path | None) -> None:
    """Train, from a checkpoint if there is one; ends the process group afterwards.

    Raises:
        InputError: the checkpoint holds no state of training, or a broken one.
        FloatingPointError: the loss is not finite.
        KeyboardInterrupt: the user interrupted it.
        SystemExit: the system ended it by SIGTERM.
    """
    before = dict(os.environ)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    except SIGTERMException:  # has no exit status of its own
        raise SystemExit(128 + signal.SIGTERM) from None
    except Exception as error:
        if checkpoint is None or isinstance(error, InputError) or not _is_of_state(error):
            raise
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"expected a checkpoint from which training can resume at {checkpoint}, but "
            f"{type(error).__name__}: {reason[:100]}; train a new run, with weights={checkpoint} "
            "if these are whole"
        ) from error
    except SystemExit as stop:
        if trainer.interrupted and stop.code == 1:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
        raise
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name in _LAUNCHER_VARIABLES:
            if name not in before:
                os.environ.pop(name, None)


def _is_of_state(error: Exception) -> bool:
    """Whether an error comes from Lightning's reading of a checkpoint's state of training, or from
    an optimiser, whose state is not checked before its first step."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    names = [(f.f_globals.get("__name__", ""), f.f_code.co_name.lstrip("_")) for f in frames]
    if any(name == "wrap_closure" for _, name in names):  # the optimiser calls the training step
        return False
    return any(
        module.startswith("torch.optim.")
        or (module.endswith(".checkpoint_connector") and name.startswith(("resume", "restore")))
        for module, name in names
    )


@contextmanager
def wandb_files_in(folder: Path) -> Iterator[None]:
    """Keep the caches, settings and staged files of Weights & Biases in ``folder``."""
    place = str((folder / "wandb" / ".local").resolve())
    unset = [name for name in _WANDB_VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, place))
    try:
        yield
    finally:
        if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
            sys.modules["wandb"].finish()  # the next run of this process is another one
        for name in unset:
            os.environ.pop(name, None)
