"""The arguments of a training run that takes a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

TINY = (
    "experiment=quickstart/heatmap",
    "backbone=tiny",
    "++backbone.widths=[8,16,16,16]",
    "method.neck.channels=16",
    "framing.size=[64,64]",
    "optimizer.lr=0.003",
    "trainer.max_epochs=1",
    "trainer.num_sanity_val_steps=0",
    "trainer.check_val_every_n_epoch=1",
    "data=coco",
    "data.workers=0",
    "data.batch_size=16",
    "report=null",
)

Train = Callable[..., Path]


def words(instances: Path, folder: Path, *changes: str) -> list[str]:
    """``poselab train`` for a network that takes milliseconds a step."""
    given = [*TINY, f"data.sources.root={instances}", f"folder={folder}", *changes]
    return ["train", *{word.partition("=")[0]: word for word in given}.values()]


def long_training(*given: object) -> None:
    """What a training process does in place of training: a minute of nothing."""
    time.sleep(60)
