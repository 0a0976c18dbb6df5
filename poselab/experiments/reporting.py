"""The metrics and the report of finished runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from poselab.evaluation.comparability import read_comparability
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.predictions_file import PredictionsFile, open_predictions
from poselab.evaluation.validation.checks import ranking_warnings
from poselab.experiments import build
from poselab.experiments.manifest import write_run
from poselab.experiments.prediction.pose_sheet import write_pose_sheet
from poselab.report.curves import draw_curves, read_curves
from poselab.report.page import learning_section, write_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from omegaconf import DictConfig

    from poselab.data import PoseData
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


def write_report(
    config: DictConfig,
    data: PoseData,
    folder: Path,
    experiment: str,
    manifest: Mapping[str, Any],
) -> Metrics:
    """Score the predictions of a run that has trained; its metrics.

    Writes metrics, drawings, curves and, if the config asks for one, the page; the run is finished
    then.
    """
    predictions = read_predictions(folder / "predictions" / "val.json", categories=None)
    evaluator = build.evaluator(config)
    if evaluator.primary_metric == "AP":  # which needs scores that rank the poses
        above = config.postprocess.get("keypoint_threshold")
        rule = f" (it counts keypoints above postprocess.keypoint_threshold={above})"
        for warning in ranking_warnings(predictions, data.val.annotations):
            print(f"warning: {warning}{'' if above is None else rule}", file=sys.stderr)
    write_pose_sheet(data.val, predictions, folder / "predictions" / "images.jpg")
    draw_curves(read_curves(folder), evaluator.primary_metric, folder / "curves.png", experiment)
    replicates = config.report.replicates if config.get("report") else 0
    if replicates:
        print("resampling images for confidence intervals, writing index.html ...", flush=True)
    metrics = _scored(folder, experiment, predictions, data.val, evaluator, replicates)
    metrics.write(folder / "metrics.json")
    write_run(folder, config, {**manifest, "state": "finished"})
    return metrics


def _scored(
    folder: Path,
    name: str,
    predictions: Predictions,
    split: Split,
    evaluator: Evaluator,
    replicates: int,
) -> Metrics:
    """The metrics; with replicates they have intervals, and ``index.html`` is written."""
    comparability = read_comparability(folder)
    if not replicates:
        metrics = evaluator(predictions, split.annotations)
        return replace(metrics, comparability={**metrics.comparability, **comparability})
    run = PredictionsFile(folder / "predictions" / "val.json", predictions, comparability)
    comparison = compare_methods({name: [run]}, split.annotations, evaluator, replicates)
    sections = learning_section(read_curves(folder), comparison.primary_metric)
    write_page(comparison, folder / "index.html", image_folder=split.images, sections=sections)
    return comparison.methods[0].metrics(comparison.seed)
