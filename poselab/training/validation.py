"""Validation through the very files and evaluators that score anybody's results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch.distributed

from poselab.evaluation.comparability import RUN
from poselab.evaluation.predictions import (
    Predictions,
    merge,
    read_predictions,
    write_predictions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.record import Metrics


class PoseEvaluation(pl.Callback):
    """After each validation, write all predictions to ``file``, score it and log it as val/NAME.

    What is scored is the file as it reads back, rounded coordinates and all: whoever scores it
    again finds the very same figures. Under DDP rank 0 merges, writes and scores for all.
    ``conditions`` (:func:`poselab.experiments.comparability.run_comparability`) become the contract's ``run``.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        annotations: Annotations,
        file: Path,
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        self.evaluator, self.annotations, self.file = evaluator, annotations, file
        self.conditions = conditions
        self.metrics: Metrics | None = None
        self.untrained_file = file.with_name("untrained.json")
        self._shards: list[Predictions] = []

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
        """Keep what was found in a batch."""
        self._shards.append(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Merge, write, score, log; a whole sanity check scores the untrained network."""
        if trainer.sanity_checking and trainer.num_sanity_val_steps != float("inf"):
            return
        shards = _from_all_ranks(self._shards, trainer.world_size)
        merged = in_order(merge(shards))
        metrics = self._scored(module.suppress(merged)) if trainer.is_global_zero else None
        self.metrics = trainer.strategy.broadcast(metrics)
        assert self.metrics is not None
        if trainer.sanity_checking:
            if trainer.is_global_zero:
                self.metrics.write(self.untrained_file)
            return
        for name, value in self.metrics.values.items():
            shown = (
                name == self.primary_metric
            )  # the same on every rank, but Lightning asks to say so
            module.log(f"val/{name}", value, prog_bar=shown, sync_dist=True)

    def _scored(self, found: Predictions) -> Metrics:
        # Boxes stay out of the file: COCO would take a pose's size from them.
        write_predictions(self.file, replace(found, boxes=None))
        metrics = self.evaluator(read_predictions(self.file), self.annotations)
        if self.conditions is None:
            return metrics
        return replace(metrics, comparability={**metrics.comparability, RUN: self.conditions})


def rehearse(evaluator: Evaluator, annotations: Annotations, named: bool) -> None:
    """Score the labels themselves, so that what cannot be scored fails before training does.

    ``named``: predictions will say which labelled person they answer for.

    Raises:
        InputError: the evaluator needs what annotations or predictions do not have.
    """
    rows = np.flatnonzero((annotations.visibility > 0).any(axis=1) & ~annotations.crowd)
    labels = Predictions(
        image_ids=annotations.image_ids[annotations.image_of()[rows]],
        annotation_ids=annotations.annotation_ids[rows] if named else np.full(len(rows), -1),
        keypoints=np.asarray(annotations.keypoints[rows]),
        keypoint_scores=np.ones(annotations.visibility[rows].shape),
        scores=np.ones(len(rows)),
    )
    evaluator(labels, annotations)


def in_order(predictions: Predictions) -> Predictions:
    """By image, person and box, so that ties fall alike however many ranks there were."""
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
