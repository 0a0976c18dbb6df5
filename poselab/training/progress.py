"""Progress of training as lines of text, for files and pipes, where a bar cannot move."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl

from poselab.report.durations import duration_in_words


class ProgressLines(pl.Callback):
    """Prints one line per epoch, and within an epoch one line every ``every`` seconds.

    The time left is what the remaining batches of the run take at the pace so far.
    """

    def __init__(self, primary_metric: str, every: float = 5.0) -> None:
        self.primary_metric, self.every = primary_metric, every
        self._start = self._epoch_start = self._printed = time.monotonic()
        self._first_epoch = 0

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Start the clock of the run."""
        self._start = self._epoch_start = self._printed = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Note the epoch at which a resumed run starts."""
        self._start, self._first_epoch = time.monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self._epoch_start = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Print how far the epoch is, if a line is due."""
        if self._due(trainer):
            done, batches = batch_idx + 1, int(trainer.num_training_batches)
            # Lightning divides the loss by the number of batches whose gradients it accumulates.
            loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
            epochs_done = trainer.current_epoch + done / batches
            pace = (time.monotonic() - self._start) / (epochs_done - self._first_epoch)
            left = pace * ((trainer.max_epochs or 1) - epochs_done)
            self._print(
                trainer,
                f"{done}/{batches} batches",
                f"loss {loss:.4g}",
                f"{duration_in_words(left)} left",
            )

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Print how far validation is, if a line is due."""
        if self._due(trainer):
            loops = trainer.num_sanity_val_batches if trainer.sanity_checking else None
            batches = int(sum(loops or trainer.num_val_batches))
            done = f"{batch_idx + 1}/{batches} batches"
            if trainer.sanity_checking:
                print(f"untrained network  validating {done}", flush=True)
            else:
                self._print(trainer, f"validating {done}")

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print the epoch's loss, metric and duration; Lightning validates before."""
        if not trainer.is_global_zero:
            return
        values, cells = trainer.callback_metrics, []
        if "train/loss" in values:
            cells.append(f"loss {float(values['train/loss']):.4g}")
        if (metric := f"val/{self.primary_metric}") in values:
            cells.append(f"{self.primary_metric} {100 * float(values[metric]):.1f}")
        self._print(trainer, *cells, f"({time.monotonic() - self._epoch_start:.0f} s)")

    def _due(self, trainer: pl.Trainer) -> bool:
        return trainer.is_global_zero and time.monotonic() - self._printed >= self.every

    def _print(self, trainer: pl.Trainer, *cells: str) -> None:
        self._printed = time.monotonic()
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        print(epoch, *cells, sep="  ", flush=True)
