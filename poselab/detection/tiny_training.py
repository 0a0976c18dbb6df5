"""Train the small detector on whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from poselab.data import Augment
from poselab.detection.tiny_data import BoxDataset
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.datasets.base import Split
    from poselab.detection.tiny_detector import TinyDetectorModule


class _Epochs(pl.Callback):
    """Passes the epoch to the data and prints one line per epoch."""

    def __init__(self, images: BoxDataset) -> None:
        self.images = images

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Set the epoch, so that augmentation differs between epochs."""
        self.images.epoch = trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Print the epoch's loss."""
        loss = float(trainer.callback_metrics["train/loss"])
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  loss {loss:.4g}", flush=True
        )


def train_tiny_detector(
    detector: TinyDetectorModule,
    split: Split,
    *,
    epochs: int = 8,
    batch_size: int = 16,
    augment: Augment | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> None:
    """Train a detector in place on the annotated people of a split.

    Raises:
        InputError: no person is labelled, or ``epochs`` or ``batch_size`` is below one.
    """
    if epochs < 1 or batch_size < 1:
        raise InputError(
            f"expected at least one epoch and one image per step, got {epochs} and {batch_size}"
        )
    pl.seed_everything(seed, verbose=False)
    augment = augment or Augment(flip=0.5, scale=0.1, degrees=0.0, shift=0.03)
    images = BoxDataset(split, detector.size, augment, seed)
    loader: Any = DataLoader(
        images,
        batch_size=min(batch_size, len(images)),
        shuffle=True,
        drop_last=True,
    )
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator=accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        callbacks=[_Epochs(images)],
    )
    trainer.fit(detector, loader)
    detector.eval()
