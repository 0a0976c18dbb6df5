"""What a top-down method loses to its boxes: to undetected instances, and to poor boxes.

A method scores less on a detector's boxes than on ground-truth boxes. Adding the ground-truth boxes
of the undetected instances splits this difference into what is lost before any pose is estimated
(early commitment, Cao et al. 2017, section 1) and what position, size and number of the other boxes
cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.comparison import compare_methods
from poselab.evaluation.diagnosis.costs import FALSE_NEGATIVE, ErrorCost
from poselab.evaluation.matching.candidates import ignoring_instances
from poselab.evaluation.statistics.bootstrap import REPLICATES, resample
from poselab.evaluation.statistics.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.comparison import Comparison, Method
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.evaluation.diagnosis.undetected import BoxMatches
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.predictions_file import PredictionsFile
    from poselab.evaluation.statistics.bootstrap import Replicates

UNDETECTED, DETECTED_FALSE_NEGATIVE = "undetected instance", "false negative despite its box"
"""The two errors that false negatives are split into."""

BOX_FIELDS = frozenset({"run.boxes"})
"""Fields of the comparability record that differ by intention between sources of boxes."""


class BoxSource(NamedTuple):
    """One source of boxes, and the poses that a method predicts in them.

    person_ap of the boxes themselves; their number; which instances they detect; run, the scored
    predictions; completed, the predictions with the ground-truth boxes of undetected instances
    added.
    """

    name: str
    person_ap: float
    num_boxes: int
    matches: BoxMatches
    run: PredictionsFile
    completed: Predictions


@dataclass(frozen=True)
class DetectionCost:
    """What one source of boxes costs: ap, undetected, poor_boxes and pose_errors add up to 1.

    undetected is lost to undetected instances, poor_boxes to all other differences from
    ground-truth boxes, pose_errors is lost on ground-truth boxes as well. A part is below 0 where
    boxes help, such as by scores that rank poses better. completed_ap is the AP with the
    ground-truth boxes of undetected instances added. difference is the AP minus that on
    ground-truth boxes, p its p-value, corrected for all pairs of sources; NaN for ground-truth
    boxes themselves.
    """

    source: BoxSource
    num_images: int
    completed_ap: float
    ap: Estimate
    undetected: Estimate
    poor_boxes: Estimate
    pose_errors: Estimate
    difference: Estimate
    p: float

    def to_json(self) -> dict[str, Any]:
        """The values as fractions, those of AP with their intervals."""
        matches = self.source.matches
        return {
            "name": self.source.name,
            "person_ap": self.source.person_ap,
            "boxes_per_image": self.source.num_boxes / self.num_images,
            "num_undetected": len(matches.undetected),
            "undetected_rate": matches.undetected_rate,
            "mean_iou": matches.mean_iou,
            "ap": self.ap.value,
            "interval": self.ap[1:],
            "completed_ap": self.completed_ap,
            "difference": {**self.difference._asdict(), "p": self.p},
            "lost": {
                "undetected": self.undetected._asdict(),
                "poor_boxes": self.poor_boxes._asdict(),
                "pose_errors": self.pose_errors._asdict(),
            },
        }


def detection_costs(
    sources: Sequence[BoxSource],
    annotations: Annotations,
    evaluator: OksEvaluator,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[int], Any] = int,
) -> tuple[Comparison, list[DetectionCost]]:
    """Score every source on the same bootstrap samples; the first is that of ground-truth boxes.

    Raises:
        InputError: annotations or predictions that the evaluator cannot score.
    """
    runs = {source.name: [source.run] for source in sources}
    comparison = compare_methods(runs, annotations, evaluator, replicates, seed, progress)
    comparison = comparison.with_intended_differences(BOX_FIELDS)
    accumulators = [[evaluator.accumulate(source.completed, annotations)] for source in sources]
    completed = resample(accumulators, replicates, seed, progress)
    methods = {method.name: method for method in comparison.methods}
    ground_truth = methods[sources[0].name]
    return comparison, [
        _cost(source, comparison, methods[source.name], more, ground_truth)
        for source, more in zip(sources, completed, strict=True)
    ]


def _cost(
    source: BoxSource,
    comparison: Comparison,
    method: Method,
    completed: Replicates,
    ground_truth: Method,
) -> DetectionCost:
    place = comparison.keys.index(comparison.primary_metric)
    best = _estimate(ground_truth.replicates, place)
    p = {frozenset(pair[:2]): pair.p_corrected for pair in comparison.pairs}
    return DetectionCost(
        source=source,
        num_images=len(comparison.annotations),
        completed_ap=_estimate(completed, place).value,
        ap=_estimate(method.replicates, place),
        undetected=_difference(completed, method.replicates, place),
        poor_boxes=_difference(ground_truth.replicates, completed, place),
        pose_errors=Estimate(1 - best.value, 1 - best.high, 1 - best.low),
        difference=_difference(method.replicates, ground_truth.replicates, place),
        p=p.get(frozenset((method.name, ground_truth.name)), float("nan")),
    )


def _estimate(replicates: Replicates, place: int) -> Estimate:
    low, high = (float(ends[place]) for ends in replicates.interval())
    return Estimate(float(replicates.values[place]), low, high)


def _difference(first: Replicates, second: Replicates, place: int) -> Estimate:
    value, low, high = (float(column[place]) for column in first.minus(second)[:3])
    return Estimate(value, low, high)


def split_false_negatives(
    costs: Sequence[ErrorCost],
    cost: DetectionCost,
    diagnosis: Diagnosis,
    annotations: Annotations,
    evaluator: OksEvaluator,
) -> list[ErrorCost]:
    """The costs of errors with undetected instances as a separate error, the first one.

    ``costs`` and ``diagnosis`` are those of the source's poses. Undetected instances are corrected
    by their ground-truth boxes; the other false negatives are instances that a box detects. An
    undetected instance may still be matched to a pose, one that belongs to another's box.
    """
    predictions = cost.source.run.predictions.take(diagnosis.evaluated)
    detected = diagnosis.false_negatives.copy()
    detected[cost.source.matches.undetected] = False
    before = evaluator(predictions, annotations).values["AP"]
    after = evaluator(predictions, ignoring_instances(annotations, detected)).values["AP"]
    count = int(np.count_nonzero(detected))
    despite_box = ErrorCost(DETECTED_FALSE_NEGATIVE, count, after, after - before)
    others = [despite_box if each.error == FALSE_NEGATIVE else each for each in costs]
    undetected = len(cost.source.matches.undetected)
    return [ErrorCost(UNDETECTED, undetected, cost.completed_ap, cost.undetected.value), *others]
