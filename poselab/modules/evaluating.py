"""Validation through the very files and evaluators that score anybody's results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytorch_lightning as pl
import torch.distributed

from poselab.evaluation.predictions import Predictions, merge, write_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.metrics import Metrics

    class Evaluator(Protocol):
        """Scores predictions; ``headline`` is the first of its metrics."""

        headline: str

        def __call__(self, predictions: Predictions, annotations: Annotations) -> Metrics:
            """The metrics record."""


class PoseEvaluation(pl.Callback):
    """After each validation, write all predictions to ``file``, score and log them as val/NAME.

    Under DDP the ranks' predictions are merged on every rank, and rank 0 writes.
    """

    def __init__(self, evaluator: Evaluator, annotations: Annotations, file: Path) -> None:
        self.evaluator, self.annotations, self.file = evaluator, annotations, file
        self.metrics: Metrics | None = None
        self.untrained: Metrics | None = None
        self._shards: list[Predictions] = []

    @property
    def headline(self) -> str:
        """The metric that says which checkpoint is best."""
        return self.evaluator.headline

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Forget the last epoch."""
        self._shards = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, *rest: Any
    ) -> None:
        """Keep what was found in a batch."""
        self._shards.append(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Merge, write, score, log; a whole sanity check scores the untrained network."""
        if trainer.sanity_checking and trainer.num_sanity_val_steps != float("inf"):
            return
        # Boxes stay out of the file: COCO would take a pose's size from them.
        found = module.suppress(merge(_from_all_ranks(self._shards)))
        predictions = replace(found, boxes=None)
        if trainer.is_global_zero:
            write_predictions(self.file, predictions)
        self.metrics = self.evaluator(predictions, self.annotations)
        if trainer.sanity_checking:
            self.untrained = self.metrics
            return
        for name, value in self.metrics.values.items():
            # A joint that nobody labelled has no value; loggers and checkpoints want numbers.
            shown = name in ("AP", "PCKh@0.5", "PCK@0.2")
            module.log(f"val/{name}", float("nan") if value is None else value, prog_bar=shown)


def _from_all_ranks(shards: list[Predictions]) -> list[Predictions]:
    """The shards of every rank, in rank order."""
    if not torch.distributed.is_initialized():
        return shards
    gathered: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, shards)
    return [shard for rank in gathered for shard in rank]
