"""Reports of runs: figures with their limits, and the page that shows what is behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from poselab.evaluation.comparability import read_comparability
from poselab.evaluation.comparison import Comparison, Run, compare
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.statistics.bootstrap import limited
from poselab.report.curves import read_curves
from poselab.report.page import learning, write_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poselab.data.dataset import Split
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics


def compare_runs(
    folders: Mapping[str, Path], split: Split, evaluator: Evaluator, replicates: int
) -> Comparison:
    """The runs in these folders by their names, on the split that all of them predicted."""
    named = {name: [_run(folder)] for name, folder in folders.items()}
    return compare(named, split.annotations, evaluator, replicates)


def _run(folder: Path) -> Run:
    file = folder / "predictions" / "val.json"
    return Run(file, read_predictions(file), read_comparability(folder))


def metrics_of(comparison: Comparison) -> Metrics:
    """The record of a comparison's only method, with confidence limits and the run's conditions."""
    (method,) = comparison.methods
    metrics = replace(method.metrics[0], comparability=method.comparability)
    return limited(metrics, method.replicates, comparison.seed)


def report_run(
    folder: Path,
    name: str,
    predictions: Predictions,
    split: Split,
    evaluator: Evaluator,
    replicates: int,
) -> Metrics:
    """Write a trained run's ``metrics.json``, and its ``index.html`` if there are replicates.

    Returns the metrics, with confidence intervals if there are replicates.
    """
    comparability = read_comparability(folder)
    if replicates:
        run = Run(folder / "predictions" / "val.json", predictions, comparability)
        comparison = compare({name: [run]}, split.annotations, evaluator, replicates)
        more = learning(read_curves(folder), comparison.primary_metric)
        write_page(comparison, folder / "index.html", image_folder=split.images, more=more)
        metrics = metrics_of(comparison)
    else:
        metrics = evaluator(predictions, split.annotations)
        metrics = replace(metrics, comparability=metrics.comparability | comparability)
    metrics.write(folder / "metrics.json")
    return metrics
