"""What each type of error costs: the AP gained by correcting it, by the evaluator itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import point_values
from poselab.evaluation.diagnosis.keypoint_errors import (
    DETECTED_SIMILARITY,
    GOOD_SIMILARITY,
    KeypointStatus,
)
from poselab.evaluation.images import images_to_score
from poselab.evaluation.matching.candidates import (
    candidates,
    ignoring_instances,
    match_candidates,
    pairs_to_match,
)
from poselab.evaluation.metrics.average_precision import OksAccumulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.pairs import Pairs
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

    Correction = Callable[[Predictions, Annotations, Diagnosis], "Corrected"]

SCORE, BACKGROUND = "score", "background false positive"
FALSE_NEGATIVE, GROUPING = "false negative", "grouping"


class Corrected(NamedTuple):
    """What a correction changes, None for what it leaves.

    moved: rows (n,) of poses and their keypoints (n, K, 2); scores (N,) of all poses; removed (N,)
    poses; annotations, in which the evaluator ignores some instances.
    """

    moved: tuple[Ints, Floats] | None = None
    scores: Floats | None = None
    removed: Mask | None = None
    annotations: Annotations | None = None


class ErrorCost(NamedTuple):
    """A type of error, how often it happens, AP with all of these corrected, and the AP gained.

    ``count`` is of keypoints for keypoint errors and grouping, of instances for score errors and
    false negatives, of poses for background false positives. ``ap`` is NaN where no instance is
    left to score.
    """

    error: str
    count: int  # type: ignore[assignment]  # a field instead of the method of tuples
    ap: float
    gain: float


def error_costs(
    predictions: Predictions,
    annotations: Annotations,
    diagnosis: Diagnosis,
    evaluator: OksEvaluator,
    image_ids: ImageIds = None,
    pairs: Pairs | None = None,
) -> list[ErrorCost]:
    """The AP gained when one type of error alone is corrected, for each type.

    Arguments must be those that were diagnosed; ``pairs`` are all scorable ones, if they are known.
    Corrections are the least ones that remove an
    error, after Ronchi and Perona (ICCV 2017): a keypoint moves towards its ground truth until its
    similarity is 0.85 for a jitter, 0.5 for a miss (which is then a jitter), and for an inversion
    or a swap as great as it was to the wrong keypoint. Poses get ``diagnosis.optimal_scores``;
    background false positives are removed, and no lower-ranked pose of the image replaces them;
    false negatives become instances that are ignored; a grouping error takes the keypoint from the
    pose that has it. A gain is hardly ever below 0: after a correction COCO's greedy matching may
    match one instance fewer at some threshold.

    The authors' program differs: it moves keypoints to half these distances (without the factor 2
    of COCO's sigmas), ranks by the OKS with the most similar instance and soft suppression, and
    counts as background, threshold by threshold, whatever was not matched.
    """
    pairs = pairs_to_match(predictions, annotations, diagnosis.sigmas, pairs)
    images = images_to_score(annotations, image_ids)
    most = evaluator.max_detections
    found = candidates(predictions, annotations, pairs, images, most)

    def ap(corrected: Corrected) -> float:
        now = found
        if corrected.scores is not None:
            ranked = replace(predictions, scores=corrected.scores)
            now = candidates(ranked, annotations, pairs, images, most)
        if corrected.moved is not None:
            rows, keypoints = corrected.moved
            poses = replace(predictions.take(rows), keypoints=keypoints)
            now = now.moved(rows, poses, pairs_to_match(poses, annotations, diagnosis.sigmas))
        fewer = annotations if corrected.annotations is None else corrected.annotations
        matching = match_candidates(now, fewer, corrected.removed)
        return point_values(OksAccumulator(matching))["AP"]

    before = ap(Corrected())
    costs = []
    for error, correct in CORRECTIONS.items():
        count = _count(error, diagnosis)
        # A better ranking may raise AP although no single instance has a score error.
        changes = count > 0 or error == SCORE
        after = ap(correct(predictions, annotations, diagnosis)) if changes else before
        costs.append(ErrorCost(str(error), count, after, after - before))
    return costs


def _count(error: str, diagnosis: Diagnosis) -> int:
    masks = {
        SCORE: diagnosis.score_errors,
        BACKGROUND: np.ones(len(diagnosis.background)),
        FALSE_NEGATIVE: diagnosis.false_negatives,
        GROUPING: diagnosis.grouping_errors,
    }
    mask = masks[error] if error in masks else diagnosis.has_status(KeypointStatus(error))
    return int(np.count_nonzero(mask))


def _correct_keypoints(status: KeypointStatus) -> Correction:
    """The correction of one keypoint error."""

    def correct(
        predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis
    ) -> Corrected:
        instance, joint = np.nonzero(diagnosis.has_status(status))
        row, target = diagnosis.pose_of[instance], annotations.keypoints[instance, joint]
        wrong_similarity = diagnosis.keypoints.best_similarity[instance, joint]
        similarity = CORRECTED_SIMILARITY.get(status, wrong_similarity)
        spread = 2 * np.array(diagnosis.sigmas)[joint]
        distance = spread * np.sqrt(-2 * np.log(similarity) * annotations.areas[instance])
        offset = predictions.keypoints[row, joint] - target
        offset *= (INSIDE * distance / np.hypot(offset[:, 0], offset[:, 1]))[:, None]
        return _with_keypoints(predictions, row, joint, target + offset)

    return correct


def _with_keypoints(predictions: Predictions, row: Ints, joint: Ints, points: Floats) -> Corrected:
    """Other coordinates (n, 2) of some keypoints, given by their rows (n,) and joints (n,)."""
    rows, place = np.unique(row, return_inverse=True)
    keypoints = predictions.keypoints[rows]
    keypoints[place, joint] = points
    return Corrected(moved=(rows, keypoints))


def _correct_grouping(predictions: Predictions, _: Annotations, diagnosis: Diagnosis) -> Corrected:
    instance, joint = np.nonzero(diagnosis.grouping_errors)
    points = predictions.keypoints[diagnosis.keypoints.grouped_into[instance, joint], joint]
    return _with_keypoints(predictions, diagnosis.pose_of[instance], joint, points)


def _correct_scores(_: Predictions, __: Annotations, diagnosis: Diagnosis) -> Corrected:
    return Corrected(scores=diagnosis.optimal_scores)


def _remove_background(predictions: Predictions, _: Annotations, diagnosis: Diagnosis) -> Corrected:
    removed = np.zeros(len(predictions), dtype=bool)
    removed[diagnosis.background] = True
    return Corrected(removed=removed)


def _ignore_false_negatives(
    _: Predictions, annotations: Annotations, diagnosis: Diagnosis
) -> Corrected:
    return Corrected(annotations=ignoring_instances(annotations, diagnosis.false_negatives))


INSIDE = 1 - 1e-6
"""Corrected keypoints lie that much nearer than the threshold, so that rounding cannot undo it."""

CORRECTED_SIMILARITY = {
    KeypointStatus.MISS: DETECTED_SIMILARITY,
    KeypointStatus.JITTER: GOOD_SIMILARITY,
}
"""The similarity of a corrected keypoint, where it is not that to the wrong keypoint."""

CORRECTIONS: dict[str, Correction] = {
    **{s: _correct_keypoints(s) for s in KeypointStatus if s is not KeypointStatus.GOOD},
    SCORE: _correct_scores,
    BACKGROUND: _remove_background,
    FALSE_NEGATIVE: _ignore_false_negatives,
    GROUPING: _correct_grouping,
}
