"""Try an experiment: one batch, a few training steps, one prediction, one evaluation.

It fails where training would fail, and measures what training would cost on this machine.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, default_collate

from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.manifest import cost_record, processor
from poselab.experiments.speed import images_per_second
from poselab.outputs import map_tensors
from poselab.report.durations import duration_in_words
from poselab.report.tables import table_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.data import PoseData
    from poselab.modules import PoseModule
    from poselab.structures import Sample

_STEPS = 4
"""Training steps to take; the first one warms up and is not timed."""


@dataclass(frozen=True)
class CostEstimate:
    """What an experiment would cost on one device of this machine; ``print`` shows a table.

    Speeds are images per second: ``loading`` by all workers together, ``training`` without loading,
    ``prediction`` without flip test. ``memory`` is the peak in bytes, of the GPU or else of the
    process. ``primary_metric`` is the untrained network's value on one batch.
    """

    experiment: str
    device: str
    parameters: int
    gmacs: float
    memory: int
    batch_size: int
    batches: int
    epochs: int
    steps: int
    loading: float
    training: float
    prediction: float
    seconds: float
    primary_metric: tuple[str, float]

    @property
    def hours(self) -> float:
        """How long training takes, validation included."""
        return self.seconds / 3600

    def __str__(self) -> str:
        name, value = self.primary_metric
        rows = {
            "device": self.device,
            "parameters": f"{self.parameters / 1e6:.2f} M",
            "GMACs": f"{self.gmacs:.3f}",
            "memory": f"{self.memory / 1e9:.2f} GB at batch size {self.batch_size}",
            "loading": f"{self.loading:.0f} images/s",
            "training": f"{self.training:.0f} images/s",
            "prediction": f"{self.prediction:.0f} images/s",
            "steps": f"{self.steps:,} ({self.epochs} epochs of {self.batches:,} batches)",
            "time": f"about {duration_in_words(self.seconds)}",
            f"{name} untrained": f"{100 * value:.1f} on one batch",
        }
        return table_text([{self.experiment: key, "": cell} for key, cell in rows.items()])


def check_experiment(overrides: Sequence[str]) -> CostEstimate:
    """Try an experiment given by the arguments of ``poselab train``.

    Raises:
        InputError: the config, the data or the trainer cannot be used.
        FloatingPointError: the first losses are not finite.
    """
    config, choices = compose("train", overrides)
    pl.seed_everything(config.seed, workers=False, verbose=False)
    data = build.data(config)
    module = build.module(config, data.skeleton)
    batch, loading = _load_batch(config, data)
    step_seconds, device, memory = _train(config, module, batch)
    val_batch: Any = default_collate(data.val_samples.__getitems__(_first(data.val_samples)))
    metric = _evaluate(config, module, data, val_batch, device)
    prediction = images_per_second(module, val_batch, device)
    batches = max(len(data.train_samples) // data.batch_size, 1)
    epochs = int(config.trainer.max_epochs)
    load_seconds = data.batch_size / loading
    # Workers load while the network trains.
    together = max(step_seconds, load_seconds) if data.workers else step_seconds + load_seconds
    epoch_seconds = batches * together
    val_seconds = len(data.val_samples) * (1 + bool(module.flip_test)) / prediction
    validations = epochs // int(config.trainer.check_val_every_n_epoch)
    cost = cost_record(config, module)
    return CostEstimate(
        experiment=choices.get("experiment") or "custom",
        device=torch.cuda.get_device_name() if device == "cuda" else processor(),
        parameters=cost["parameters"],
        gmacs=cost["gmacs"],
        memory=memory,
        batch_size=data.batch_size,
        batches=batches,
        epochs=epochs,
        steps=epochs * -(-batches // int(config.trainer.accumulate_grad_batches)),
        loading=loading,
        training=len(batch.image) / step_seconds,
        prediction=prediction,
        seconds=epochs * epoch_seconds + validations * val_seconds,
        primary_metric=metric,
    )


def _first(samples: Any, count: int = 64) -> list[int]:
    return list(range(min(count, len(samples))))


def _load_batch(config: DictConfig, data: PoseData) -> tuple[Sample[Tensor], float]:
    """A training batch, and the images per second that all workers would load."""
    keys = [(0, index) for index in _first(data.train_samples, data.batch_size)]
    started = time.perf_counter()
    batch: Any = default_collate(data.train_samples.__getitems__(keys))
    seconds = time.perf_counter() - started
    workers = min(max(int(config.data.workers), 1), os.cpu_count() or 1)
    return batch, workers * len(keys) / seconds


def _train(config: DictConfig, module: PoseModule, batch: Sample[Tensor]) -> tuple[float, str, int]:
    """Seconds per training step, the device that it ran on, and the peak memory in bytes."""
    changes = {
        "max_epochs": 1,
        "devices": 1,
        "strategy": "auto",
        "num_sanity_val_steps": 0,
        "enable_progress_bar": False,
    }
    alone = OmegaConf.merge(config, {"trainer": changes})
    assert isinstance(alone, DictConfig)
    timer = _StepTimer()
    trainer = build.trainer(alone, None, [timer])
    batches: Any = DataLoader([batch] * _STEPS, batch_size=None)  # type: ignore[arg-type]
    trainer.fit(module, train_dataloaders=batches)
    device = trainer.strategy.root_device.type
    if device == "cuda":
        return timer.seconds(), device, torch.cuda.max_memory_allocated()
    # Kilobytes, but bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return timer.seconds(), device, peak if sys.platform == "darwin" else 1024 * peak


class _StepTimer(pl.Callback):
    """Seconds of each training step, until the device has finished it."""

    def __init__(self) -> None:
        self.started, self.steps = 0.0, list[float]()

    def on_train_batch_start(self, *unused: Any) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, *unused: Any) -> None:
        """Wait for the device."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.steps.append(time.perf_counter() - self.started)

    def seconds(self) -> float:
        """The median of all steps but the first."""
        return float(np.median(self.steps[1:]))


def _evaluate(
    config: DictConfig, module: PoseModule, data: PoseData, batch: Sample[Tensor], device: str
) -> tuple[str, float]:
    """The primary metric of the poses predicted in a batch."""
    module = module.to(device).eval()
    with torch.inference_mode():
        poses = module.predict_step(map_tensors(lambda part: part.to(device), batch), 0)
    images = np.unique(batch.frame.image_id.numpy())
    evaluator = build.evaluator(config)
    metrics = evaluator(module.suppress(poses), data.val.annotations, images)
    return evaluator.primary_metric, metrics.values[evaluator.primary_metric]
