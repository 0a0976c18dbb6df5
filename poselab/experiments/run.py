"""A run's folder as an object: what it recorded, its metrics, its predictions, its module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.record import Metrics
from poselab.experiments.config.trust import trusting
from poselab.experiments.runs import (
    best_checkpoint,
    is_finished,
    load_run,
    read_manifest,
    read_metrics,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from omegaconf import DictConfig

    from poselab.evaluation.predictions import Predictions
    from poselab.modules import PoseModule


@dataclass(frozen=True)
class Run:
    """A run that was trained or imported; ``print(run)`` shows its metrics as a table.

    A run can be used as a path: ``poselab.load(run)``, ``poselab.evaluate(run, annotations)``.
    """

    folder: Path

    def __fspath__(self) -> str:
        return str(self.folder)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of ``run.json``: environment, data, cost, seconds, comparability."""
        return dict(read_manifest(self.folder))

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return load_run(self.folder)[1]

    @property
    def config(self) -> DictConfig:
        """Its resolved config."""
        return load_run(self.folder)[0]

    @property
    def is_finished(self) -> bool:
        """Whether it has trained to its end and has metrics."""
        return is_finished(self.folder)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the best epoch, or of the last if it never validated."""
        return best_checkpoint(self.folder)

    @property
    def metrics(self) -> Metrics:
        """The metric values on the validation images, as fractions, with their intervals.

        Raises:
            InputError: the run is not finished.
        """
        return Metrics.from_json(read_metrics(self.folder))

    @property
    def predictions(self) -> Predictions:
        """The poses that the best checkpoint predicts in the validation images.

        Raises:
            InputError: the run has not validated yet.
        """
        return read_predictions(self.folder / "predictions" / "val.json", categories=None)

    def module(self, trust: str | Sequence[str] | None = None) -> PoseModule:
        """The Lightning module of the best checkpoint, on the CPU, in evaluation mode.

        trust: modules of your own whose classes it may name, as in :func:`poselab.load`.
        """
        from poselab.experiments import build

        with trusting(trust):
            return build.load(self.checkpoint)[0]

    def __str__(self) -> str:
        if not self.is_finished:
            state = self.manifest.get("state", "unknown")
            return f"{self.folder}: {'trained, not reported' if state == 'trained' else state}"
        return f"{self.folder}\n{self.metrics}"
