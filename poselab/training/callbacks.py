"""Small duties around training: exact resumption, checkpoints that explain themselves, images."""

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
    """Seed what is random inside the network by run and epoch, so that a resumed run repeats it.

    Once more before the first batch: a loader that starts draws a number, which it does before the
    epoch where a run begins or goes on, and in the epoch elsewhere.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Seed torch's generators."""
        self._seed(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed them again before the first batch."""
        if batch_idx == 0:
            self._seed(trainer)

    def _seed(self, trainer: pl.Trainer) -> None:
        seeds = np.random.SeedSequence((self.seed, trainer.current_epoch, trainer.global_rank))
        torch.manual_seed(int(seeds.generate_state(1)[0]))


class EpochLines(pl.Callback):
    """One printed line an epoch, for files and pipes, where a progress bar would be litter."""

    def __init__(self, primary_metric: str) -> None:
        self.primary_metric, self._started = primary_metric, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print, after any validation."""
        if not trainer.is_global_zero:
            return
        figures, words = trainer.callback_metrics, []
        if "train/loss" in figures:
            words.append(f"loss {float(figures['train/loss']):.4g}")
        if f"val/{self.primary_metric}" in figures:
            words.append(
                f"{self.primary_metric} {100 * float(figures[f'val/{self.primary_metric}']):.1f}"
            )
        words.append(f"({time.monotonic() - self._started:.0f} s)")
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", *words, sep="  ", flush=True
        )


class DescribeCheckpoint(pl.Callback):
    """Put plain values under a key of every checkpoint: it can then be loaded without its run."""

    def __init__(self, key: str, description: Mapping[str, Any]) -> None:
        self.key, self.description = key, dict(description)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Called by Lightning."""
        checkpoint[self.key] = self.description


class PoseImages(pl.Callback):
    """After each validation, log the first samples of ``samples`` with their poses drawn.

    ``draw(image (H, W, 3), keypoints (P, K, 2), scores (P, K))`` gives the image; loggers without
    images are left out.
    """

    def __init__(self, samples: PoseDataset, draw: Callable[..., Any], count: int = 8) -> None:
        self.samples, self.draw, self.count = samples, draw, min(count, len(samples))

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Draw and log."""
        loggers = [log for log in trainer.loggers if _takes_images(log)]
        if not loggers or trainer.sanity_checking or not trainer.is_global_zero:
            return
        images = np.stack([self.samples[i].image for i in range(self.count)])
        with torch.no_grad():
            batch = torch.as_tensor(images, device=module.device)
            poses = module.codec.decode(module.flip_tested(module(batch), batch))
        drawn = [
            self.draw(image.transpose(1, 2, 0), keypoints[valid], scores[valid])
            for image, keypoints, scores, valid in zip(
                images, *(part.cpu().numpy() for part in poses), strict=True
            )
        ]
        for logger in loggers:
            _log_images(logger, drawn, trainer.global_step)


def _takes_images(logger: Any) -> bool:
    return isinstance(logger, (pl.loggers.TensorBoardLogger, pl.loggers.WandbLogger))


def _log_images(logger: Any, images: list[Any], step: int) -> None:
    if isinstance(logger, pl.loggers.WandbLogger):
        logger.log_image(key="val/poses", images=images, step=step)
        return
    for i, image in enumerate(images):
        logger.experiment.add_image(f"val/pose_{i}", image, step, dataformats="HWC")


class Stopwatch(pl.Callback):
    """Seconds that a run took, those of earlier sessions included; noted in ``file`` each epoch."""

    def __init__(self, before: float, file: Path) -> None:
        self.before, self.file, self.started = before, file, time.monotonic()

    def seconds(self) -> float:
        """Until now."""
        return self.before + time.monotonic() - self.started

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Note them."""
        if trainer.is_global_zero:
            manifest = read_json(self.file, "a run's manifest")
            write_json(self.file, manifest | {"seconds": self.seconds()})
