"""Callbacks of every run: exact resumption, self-contained checkpoints, images, run time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch

from poselab.io.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from poselab.data import PoseDataset


class SeedEachEpoch(pl.Callback):
    """Seeds torch by run, epoch and rank, so that a resumed run draws the same random numbers.

    It seeds before the first batch again, because a data loader draws a number when it starts:
    before the first epoch of a session, but within all later ones.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Seed."""
        self._seed(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed again."""
        if batch_idx == 0:
            self._seed(trainer)

    def _seed(self, trainer: pl.Trainer) -> None:
        # Hashed, because sums of run, epoch and rank would give two of them the same seed.
        seeds = np.random.SeedSequence((self.seed, trainer.current_epoch, trainer.global_rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))


class DescribeCheckpoint(pl.Callback):
    """Adds plain values to every checkpoint under ``key``, so that it loads without its run."""

    def __init__(self, key: str, description: Mapping[str, Any]) -> None:
        self.key, self.description = key, dict(description)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Called by Lightning."""
        checkpoint[self.key] = self.description


class PoseImages(pl.Callback):
    """After each validation, logs the first ``count`` samples with their predicted poses drawn.

    ``draw(image (H, W, 3), keypoints (P, K, 2), scores (P, K))`` returns the drawing. Loggers that
    take no images are left out.
    """

    def __init__(self, samples: PoseDataset, draw: Callable[..., Any], count: int = 8) -> None:
        self.samples, self.draw, self.count = samples, draw, min(count, len(samples))

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw and log."""
        kinds = (pl.loggers.TensorBoardLogger, pl.loggers.WandbLogger)
        loggers: list[Any] = [log for log in trainer.loggers if isinstance(log, kinds)]
        if not loggers or trainer.sanity_checking or not trainer.is_global_zero:
            return
        images = np.stack([self.samples[i].image for i in range(self.count)])
        with torch.no_grad():
            batch = torch.as_tensor(images, device=module.device)
            poses = module.codec.decode(module.flip_tested(module(batch), batch))
        drawn = [
            self.draw(image.transpose(1, 2, 0), keypoints[valid], scores[valid])
            for image, keypoints, scores, valid in zip(
                images, *(part.cpu().numpy() for part in poses[:3]), strict=True
            )
        ]
        step = trainer.global_step
        for logger in loggers:
            if isinstance(logger, pl.loggers.WandbLogger):
                logger.log_image(key="val/poses", images=drawn, step=step)
                continue
            for i, image in enumerate(drawn):
                logger.experiment.add_image(f"val/pose_{i}", image, step, dataformats="HWC")


class RunTime(pl.Callback):
    """Records in the manifest how many seconds a run has taken, in all its sessions."""

    def __init__(self, seconds_before: float, manifest: Path) -> None:
        self.seconds_before, self.manifest = seconds_before, manifest
        self.started = time.monotonic()

    def seconds(self) -> float:
        """The seconds until now."""
        return self.seconds_before + time.monotonic() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Write them."""
        if trainer.is_global_zero:
            content = read_json(self.manifest, "a run's manifest")
            write_json(self.manifest, content | {"seconds": self.seconds()})
