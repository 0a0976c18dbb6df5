"""The metrics and the report of finished runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from poselab.evaluation.comparability import read_comparability
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.predictions_file import PredictionsFile, open_predictions
from poselab.report.curves import read_curves
from poselab.report.page import learning_section, write_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poselab.datasets.base import Split
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics


def compare_runs(
    folders: Mapping[str, Path], split: Split, evaluator: Evaluator, replicates: int
) -> Comparison:
    """The runs in these folders by their names, on the split that all of them predicted."""
    runs = {name: [open_predictions(path, split.annotations)] for name, path in folders.items()}
    return compare_methods(runs, split.annotations, evaluator, replicates)


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
        run = PredictionsFile(folder / "predictions" / "val.json", predictions, comparability)
        comparison = compare_methods({name: [run]}, split.annotations, evaluator, replicates)
        sections = learning_section(read_curves(folder), comparison.primary_metric)
        write_page(comparison, folder / "index.html", image_folder=split.images, sections=sections)
        metrics = comparison.methods[0].metrics(comparison.seed)
    else:
        metrics = evaluator(predictions, split.annotations)
        metrics = replace(metrics, comparability={**metrics.comparability, **comparability})
    metrics.write(folder / "metrics.json")
    return metrics
