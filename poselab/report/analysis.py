"""What the page needs to know of every method, put together from the evaluation's parts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis.diagnosis import costs, diagnose
from poselab.evaluation.metrics.breakdown import (
    OVERLAPS,
    SIZES,
    by_crowding,
    by_labelled_joints,
    by_size,
)
from poselab.evaluation.metrics.calibration import pose_calibration
from poselab.evaluation.metrics.crowding import overlaps
from poselab.evaluation.metrics.joints import joint_figures
from poselab.evaluation.metrics.oks import OksEvaluator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.comparison import Comparison, Method
    from poselab.evaluation.diagnosis.diagnosis import Cost, Diagnosis
    from poselab.evaluation.metrics.breakdown import Breakdown
    from poselab.evaluation.metrics.calibration import Calibration
    from poselab.evaluation.metrics.joints import JointFigures
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints


class Bins(NamedTuple):
    """A grouping of people: labels, and which one (M,) each person belongs to, -1 for none."""

    labels: tuple[str, ...]
    of_person: Ints


class Analysis(NamedTuple):
    """One method, person by person: the first run of several.

    What belongs to COCO's metric alone is None or empty under others: precision (3, 101) at OKS
    0.5, 0.75 and the mean over 0.5:0.95, costs of errors, breakdowns.
    """

    name: str
    predictions: Predictions
    diagnosis: Diagnosis
    joints: JointFigures
    calibration: Calibration
    precision: Floats | None = None
    costs: Sequence[Cost] = ()
    breakdowns: Sequence[Breakdown] = ()


def analyse(comparison: Comparison) -> tuple[Analysis, ...]:
    """All methods in the comparison's order."""
    return tuple(_analysed(method, comparison.annotations) for method in comparison.methods)


def _analysed(method: Method, annotations: Annotations) -> Analysis:
    predictions, comparability = method.runs[0].predictions, method.metrics[0].comparability
    evaluator = _oks_evaluator(comparability)
    sigmas = None if evaluator is None else evaluator.sigmas
    most = 20 if evaluator is None else evaluator.max_detections
    match = str(comparability.get("match", "best_oks"))
    common = Analysis(
        name=method.name,
        predictions=predictions,
        diagnosis=diagnose(predictions, annotations, None, sigmas, most),
        joints=joint_figures(predictions, annotations, match=match, sigmas=sigmas),
        calibration=pose_calibration(predictions, annotations, match=match, sigmas=sigmas),
    )
    return common if evaluator is None else _with_costs(common, annotations, evaluator)


def _with_costs(common: Analysis, annotations: Annotations, evaluator: OksEvaluator) -> Analysis:
    predictions = common.predictions
    ask = (evaluator, predictions, annotations)
    return common._replace(
        precision=_precision(evaluator, predictions, annotations),
        costs=costs(predictions, annotations, common.diagnosis, evaluator),
        breakdowns=[by_size(*ask), by_crowding(*ask), by_labelled_joints(*ask)],
    )


def _oks_evaluator(comparability: Mapping[str, Any]) -> OksEvaluator | None:
    """The evaluator that a record of COCO's figures was made with; None of other metrics."""
    if comparability.get("metric") != "oks":
        return None
    given = comparability["sigmas"] if comparability["sigmas_from"] == "user" else None
    return OksEvaluator(comparability["engine"], given, comparability["max_detections"])


def _precision(
    evaluator: OksEvaluator, predictions: Predictions, annotations: Annotations
) -> Floats:
    """Precision (3, 101) at OKS 0.5, 0.75 and on average, people of all sizes."""
    precision = evaluator.tally(predictions, annotations).accumulated().precision[0, 0]
    return np.stack([precision[0], precision[5], precision.mean(axis=0)])


def groups_of(annotations: Annotations) -> dict[str, Bins]:
    """By what the page's images can be filtered, beside joints and errors."""
    limits = [high for _, high in SIZES.values()][:-1]
    size = np.searchsorted(limits, annotations.areas, side="left")
    crowding = np.searchsorted(OVERLAPS, overlaps(annotations), side="right") - 1
    bounded = (f"{low:g} to {high:g}" for low, high in pairwise(OVERLAPS))
    labels = (*bounded, f"{OVERLAPS[-1]:g} and more")
    return {"size": Bins(tuple(SIZES), size), "crowding": Bins(labels, crowding)}
