"""Validation in training, by the evaluators that also score predictions files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch.distributed
from pytorch_lightning.callbacks import ModelCheckpoint

from poselab.evaluation.comparability import RUN
from poselab.evaluation.predictions import (
    Predictions,
    merge,
    rounded,
    write_predictions,
)
from poselab.evaluation.validation.checks import check_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.record import Metrics


class PoseEvaluation(pl.Callback):
    """After each validation, score all predictions, log val/NAME and write those of the best epoch.

    ``file`` always holds the predictions of the checkpoint that is kept as the best. Predictions
    are scored rounded as the file stores them, so that scoring the file gives the same values.
    Under DDP rank 0 merges, scores and writes for all ranks. ``run_comparability`` (of
    :func:`poselab.experiments.comparability.run_comparability`) becomes the record's ``run``.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        annotations: Annotations,
        file: Path,
        run_comparability: Mapping[str, Any] | None = None,
    ) -> None:
        self.evaluator, self.annotations, self.file = evaluator, annotations, file
        self.run_comparability = run_comparability
        self.untrained_file = file.with_name("untrained.json")
        self._shards: list[Predictions] = []
        self._merged: Predictions | None = None

    @property
    def primary_metric(self) -> str:
        """The metric that says which checkpoint is best."""
        return self.evaluator.primary_metric

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Forget the last epoch."""
        self._shards = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, *rest: Any
    ) -> None:
        """Keep the predictions of a batch."""
        self._shards.append(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Merge, score, log; a sanity check over all images scores the untrained network."""
        if trainer.sanity_checking and trainer.num_sanity_val_steps != float("inf"):
            return
        shards = _from_all_ranks(self._shards, trainer.world_size)
        metrics = None
        if trainer.is_global_zero:
            # Boxes stay out of the file: COCO would take a pose's size from them.
            merged = module.suppress(in_order(merge(shards)))
            self._merged = rounded(replace(merged, boxes=None))
            metrics = self._score(self._merged)
        metrics = trainer.strategy.broadcast(metrics)
        assert metrics is not None
        if trainer.sanity_checking:
            if trainer.is_global_zero:
                metrics.write(self.untrained_file)
            return
        if _only_tries(trainer):  # values of a few batches would be taken for the run's
            return
        for name, value in metrics.values.items():
            primary = name == self.primary_metric
            # The same on every rank, but Lightning warns unless sync_dist is set.
            module.log(f"val/{name}", value, prog_bar=primary, sync_dist=True)

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the predictions if Lightning is about to keep this epoch as the best."""
        if trainer.sanity_checking or _only_tries(trainer):
            return
        best = self._is_best(trainer)  # every rank must ask, because they decide together
        if best and self._merged is not None:
            write_predictions(self.file, self._merged, self.annotations)

    def _is_best(self, trainer: pl.Trainer) -> bool:
        monitor = f"val/{self.primary_metric}"
        return all(
            callback.check_monitor_top_k(trainer, trainer.callback_metrics[monitor])
            for callback in trainer.checkpoint_callbacks
            if isinstance(callback, ModelCheckpoint) and callback.monitor == monitor
        )

    def _score(self, predictions: Predictions) -> Metrics:
        check_predictions(predictions, self.annotations)
        metrics = self.evaluator(predictions, self.annotations)
        if self.run_comparability is None:
            return metrics
        record = {**metrics.comparability, RUN: self.run_comparability}
        return replace(metrics, comparability=record)


def _only_tries(trainer: pl.Trainer) -> bool:
    return bool(getattr(trainer, "fast_dev_run", False))  # Lightning declares it nowhere


def check_scorable(
    evaluator: Evaluator, annotations: Annotations, with_annotation_ids: bool
) -> None:
    """Score the annotations themselves, so that what cannot be scored fails before training does.

    ``with_annotation_ids``: each prediction will name the instance that it is of.

    Raises:
        InputError: the evaluator needs what annotations or predictions do not have.
    """
    rows = np.flatnonzero(annotations.scorable())
    ids = annotations.annotation_ids[rows]
    perfect = Predictions(
        image_ids=annotations.image_ids[annotations.image_of()[rows]],
        annotation_ids=ids if with_annotation_ids else np.full(len(rows), -1),
        keypoints=np.asarray(annotations.keypoints[rows]),
        keypoint_scores=np.ones(annotations.visibility[rows].shape),
        scores=np.ones(len(rows)),
    )
    evaluator(perfect, annotations)


def in_order(predictions: Predictions) -> Predictions:
    """By image, person and box, so that ties are resolved alike for any number of ranks."""
    ids = (predictions.annotation_ids, predictions.image_ids)
    corner = () if predictions.boxes is None else tuple(predictions.boxes[:, 1::-1].T)
    return predictions.take(np.lexsort((*corner, *ids)))


def _from_all_ranks(shards: list[Predictions], world_size: int) -> list[Predictions]:
    """The shards of every rank, in rank order."""
    if world_size == 1:
        return shards
    gathered: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(gathered, shards)
    return [shard for rank in gathered for shard in rank]
