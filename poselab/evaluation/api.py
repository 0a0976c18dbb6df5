"""``poselab.evaluate``: metric values of predictions, from them and annotations alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.annotations.options import with_options
from poselab.evaluation.formats.arrays.options import AS_SUGGESTED, ArrayOptions
from poselab.evaluation.metrics.named import named_evaluator
from poselab.evaluation.predictions_file import open_predictions
from poselab.evaluation.statistics import check_replicates
from poselab.evaluation.validation.checks import check_predictions, prediction_warnings
from poselab.io.background import in_background

if TYPE_CHECKING:
    import os

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import Evaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.predictions_file import Source
    from poselab.evaluation.record import Metrics

MANY = 10_000
"""Predictions whose checks take longer than to start a second process."""


def evaluate(
    predictions: Source,
    annotations: str | os.PathLike[str] | Annotations,
    metric: str | Evaluator = "oks",
    replicates: int = 0,
    layout: str = "auto",
    category: str | int | None = None,
    array: ArrayOptions = AS_SUGGESTED,
) -> Metrics:
    """Score predictions against annotations, without torch and without a run.

    predictions: a run or its folder, COCO results, a file with an array of poses in any order of
    axes (.mat, .h5, .npy, .npz, .csv, .json), such an array, or
    :class:`poselab.evaluation.predictions.Predictions`. annotations: a file in any layout that
    PoseLab reads, or an open table. metric: a name of
    :data:`poselab.evaluation.metrics.named.METRICS`, or an evaluator with settings of its own.
    replicates: bootstrap replicates for 95 % confidence intervals, none by default. category: the
    name or id of the only category to score, by default all that share their keypoints, as if they
    were one. array: how to read an array, where its shape and its fit with the annotations do not
    tell; ``metrics.notes`` say how it was read.

    A run's predictions are scored with the sigmas and areas that it was trained with, unless
    :func:`poselab.annotations.options.with_options` has set others in the table.

    Example::

        metrics = poselab.evaluate("results.json", "person_keypoints_val2017.json", replicates=1000)
        print(metrics)  # a table in percent
        metrics["AP"], metrics.interval["AP"]  # fractions
        metrics.write("metrics.json")

    Raises:
        InputError: files that cannot be read, or predictions that cannot be scored.
    """
    check_replicates("replicates", replicates, least=0)
    table = open_table(annotations, layout, category)
    file = open_predictions(predictions, table, array)
    check_predictions(file.predictions, table)
    table = with_options(table, table.options.filled_by(file.options))
    evaluator = named_evaluator(metric) if isinstance(metric, str) else metric
    warn = partial(prediction_warnings, file.predictions, table, evaluator.ranks_by_oks)
    with in_background(warn, worth_it=len(file.predictions) >= MANY) as warned:
        metrics = _metrics(evaluator, file.predictions, table, replicates)
        warnings = warned()
    missing = metrics.comparability.get("instances_without_prediction")
    if missing:
        warnings.append(f"{missing} labelled people have no prediction and count as wrong")
    record = {**metrics.comparability, **file.comparability}
    return replace(metrics, comparability=record, warnings=tuple(warnings), notes=file.notes)


def _metrics(
    evaluator: Evaluator, predictions: Predictions, annotations: Annotations, replicates: int
) -> Metrics:
    if not replicates:
        return evaluator(predictions, annotations)
    from poselab.evaluation.statistics.bootstrap import metrics_with_intervals

    return metrics_with_intervals(evaluator.accumulate(predictions, annotations), replicates)


def open_table(
    annotations: str | os.PathLike[str] | Annotations,
    layout: str = "auto",
    category: str | int | None = None,
) -> Annotations:
    """Annotations as they are, or read from a file.

    Raises:
        InputError: no such file, or none of that layout.
    """
    from poselab.annotations import open_annotations
    from poselab.annotations.table import Annotations

    if isinstance(annotations, Annotations):
        return annotations
    return open_annotations(Path(annotations), layout=layout, category=category)
