"""What the report shows of every method, computed by :mod:`poselab.evaluation`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis import diagnose, error_costs
from poselab.evaluation.matching.instances import match_instances
from poselab.evaluation.matching.pairs import scorable_pairs
from poselab.evaluation.metrics.breakdown import OVERLAPS, SIZES, breakdowns
from poselab.evaluation.metrics.calibration import calibration_of_matches
from poselab.evaluation.metrics.crowding import overlaps
from poselab.evaluation.metrics.hotcoco_streaming import MANY
from poselab.evaluation.metrics.joints import similarities_of_matches
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.io.background import in_background
from poselab.report.plots import MAX_DRAWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.comparison import Comparison, Method
    from poselab.evaluation.diagnosis import Diagnosis, ErrorCost
    from poselab.evaluation.metrics.breakdown import Breakdown
    from poselab.evaluation.metrics.calibration import Calibration
    from poselab.evaluation.metrics.joints import JointSimilarities
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

MAX_DETECTIONS = 20
"""Poses of an image that are diagnosed under metrics other than COCO's, as many as COCO counts."""


class InstanceGroups(NamedTuple):
    """A grouping of instances: the groups' labels, and the group (M,) of each, -1 for none."""

    labels: tuple[str, ...]
    of_instance: Ints


class Analysis(NamedTuple):
    """One method, instance by instance; of several runs the first.

    What belongs to COCO's metric alone is None or empty for other metrics: precision (3, 101) at
    OKS 0.5, 0.75 and the mean over 0.5:0.95, costs of errors, breakdowns (of the methods that are
    drawn).
    """

    name: str
    predictions: Predictions
    diagnosis: Diagnosis
    joints: JointSimilarities
    calibration: Calibration
    precision: Floats | None = None
    costs: Sequence[ErrorCost] = ()
    breakdowns: Sequence[Breakdown] = ()


def analyse(comparison: Comparison) -> tuple[Analysis, ...]:
    """All methods in the comparison's order; of large ones, a second process analyses one half."""
    methods = list(enumerate(comparison.methods))
    poses = [len(method.runs[0].predictions) for method in comparison.methods]

    def analyse_some(some: Sequence[tuple[int, Method]]) -> list[Analysis]:
        return [_analyse_method(m, comparison.annotations, n < MAX_DRAWN) for n, m in some]

    def without_predictions() -> list[Analysis]:  # this process has them
        return [
            one._replace(predictions=one.predictions.take(slice(0)))
            for one in analyse_some(methods[1::2])
        ]

    with in_background(without_predictions, worth_it=sum(poses[1::2]) >= MANY) as others:
        analyses: list[Any] = [None] * len(methods)
        analyses[::2], analyses[1::2] = analyse_some(methods[::2]), others()
    return tuple(
        one._replace(predictions=method.runs[0].predictions)
        for one, method in zip(analyses, comparison.methods, strict=True)
    )


def _analyse_method(method: Method, annotations: Annotations, with_breakdowns: bool) -> Analysis:
    predictions, record = method.runs[0].predictions, method.comparability
    evaluator = _oks_evaluator(record)
    sigmas = None if evaluator is None else evaluator.sigmas
    most = MAX_DETECTIONS if evaluator is None else evaluator.max_detections
    skeleton_sigmas = annotations.skeleton.oks_sigmas
    pairs = scorable_pairs(predictions, annotations, skeleton_sigmas if sigmas is None else sigmas)
    of_skeleton = pairs if sigmas is None or tuple(sigmas) == tuple(skeleton_sigmas) else None
    rule = str(record.get("match", "best_oks"))
    matches = match_instances(predictions, annotations, None, rule, pairs=of_skeleton)
    analysis = Analysis(
        name=method.name,
        predictions=predictions,
        diagnosis=diagnose(predictions, annotations, None, sigmas, most, pairs),
        joints=similarities_of_matches(matches, predictions, annotations, sigmas=sigmas),
        calibration=calibration_of_matches(matches, predictions, annotations, sigmas),
    )
    if evaluator is None:
        return analysis
    return analysis._replace(
        precision=_precision(method.precision),
        costs=error_costs(predictions, annotations, analysis.diagnosis, evaluator, pairs=pairs),
        breakdowns=breakdowns(evaluator, predictions, annotations, pairs=pairs)
        if with_breakdowns
        else (),
    )


def _oks_evaluator(record: Mapping[str, Any]) -> OksEvaluator | None:
    """The evaluator that a record of COCO's metric was made by; None for other metrics."""
    if record.get("metric") != "oks":
        return None
    sigmas = record["sigmas"] if record["sigmas_from"] == "user" else None
    return OksEvaluator(record["engine"], sigmas, record["max_detections"])


def _precision(precision: Floats | None) -> Floats | None:
    """Precision (3, 101) at OKS 0.5, 0.75 and on average, of that at all thresholds (T, 101)."""
    if precision is None:
        return None
    return np.stack([precision[0], precision[5], precision.mean(axis=0)])


def instance_groups(annotations: Annotations) -> dict[str, InstanceGroups]:
    """The groupings by which the report's images can be filtered, besides joints and errors."""
    edges = [high for _, high in SIZES.values()][:-1]
    size = np.searchsorted(edges, annotations.areas, side="left")
    crowding = np.searchsorted(OVERLAPS, overlaps(annotations), side="right") - 1
    ranges = (f"{low:g} to {high:g}" for low, high in pairwise(OVERLAPS))
    labels = (*ranges, f"{OVERLAPS[-1]:g} and more")
    return {
        "size": InstanceGroups(tuple(SIZES), size),
        "crowding": InstanceGroups(labels, crowding),
    }
