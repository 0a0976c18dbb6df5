"""The AP that each kind of error costs: predictions without it, scored by the evaluator itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis.keypoint_errors import NEAR, RIGHT, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations.table import Annotations
    from poselab.evaluation.diagnosis.diagnosis import Diagnosis
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Corrected = tuple[Predictions, Annotations]

SCORE, BACKGROUND, FALSE_NEGATIVE, GROUPING = "score", "background", "false negative", "grouping"


class Cost(NamedTuple):
    """A kind of error, how often it happens, AP with all of these corrected, and AP gained so.

    ``count`` is of joints for kinds of :class:`Kind` and for grouping, of people for score and
    false negative, of poses for background. ``ap`` is NaN where nobody is left to be found.
    """

    kind: str
    count: int  # type: ignore[assignment]  # a field instead of the method of tuples
    ap: float
    gain: float


def costs(
    predictions: Predictions,
    annotations: Annotations,
    diagnosis: Diagnosis,
    evaluator: OksEvaluator,
    image_ids: ImageIds = None,
) -> list[Cost]:
    """The AP gained when one kind of error alone is corrected, for each kind.

    Corrections are the least ones that make an error another thing, after Ronchi and Perona (ICCV
    2017): a joint moves towards its label until its similarity is 0.85 for a jitter, 0.5 for a miss
    (which is then a jitter), and for an inversion or a swap as great as it was to the wrong joint.
    Poses get the scores ``diagnosis.optimal``; background poses are left out, without others moving
    up; false negatives become people who need not be found; a grouping error takes the joint from
    where another pose has it. A gain is hardly ever below 0: after a correction COCO's greedy
    matching may find somebody fewer at a threshold.

    The authors' program differs: it moves joints to half these distances (without the factor 2 of
    COCO's falloffs), ranks by the OKS with the most similar person and soft suppression, and takes
    for background, threshold by threshold, whatever found nobody. Arguments must be those that were
    diagnosed.
    """

    def ap(corrected: Corrected) -> float:
        return evaluator(*corrected, image_ids).values["AP"]

    before = ap((predictions.take(diagnosis.considered), annotations))
    done = []
    for kind, correct in CORRECTIONS.items():
        count = _count(kind, diagnosis)
        works = count > 0 or kind == SCORE  # ranking may improve where no single person is to blame
        after = ap(correct(predictions, annotations, diagnosis)) if works else before
        done.append(Cost(str(kind), count, after, after - before))
    return done


def _count(kind: str, diagnosis: Diagnosis) -> int:
    masks = {
        SCORE: diagnosis.misranked,
        BACKGROUND: np.ones(len(diagnosis.background)),
        FALSE_NEGATIVE: diagnosis.missed,
        GROUPING: diagnosis.grouping,
    }
    mask = masks[kind] if kind in masks else diagnosis.is_kind(Kind(kind))
    return int(np.count_nonzero(mask))


def _moved(kind: Kind) -> Callable[[Predictions, Annotations, Diagnosis], Corrected]:
    """The correction of a kind of joint."""

    def correct(
        predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis
    ) -> Corrected:
        person, joint = np.nonzero(diagnosis.is_kind(kind))
        similarity = LEAST.get(kind, diagnosis.joints.nearest[person, joint])
        spread = 2 * np.array(diagnosis.sigmas)[joint]
        wanted = spread * np.sqrt(-2 * np.log(similarity) * annotations.areas[person])
        row, label = diagnosis.pose[person], annotations.keypoints[person, joint]
        away = predictions.keypoints[row, joint] - label
        away *= (INSIDE * wanted / np.hypot(away[:, 0], away[:, 1]))[:, None]
        return _placed(predictions, diagnosis, (row, joint), label + away), annotations

    return correct


def _placed(
    predictions: Predictions, diagnosis: Diagnosis, where: tuple[Ints, Ints], places: Floats
) -> Predictions:
    """The considered poses with other places (n, 2) of some joints, (n,) rows and (n,) joints."""
    keypoints = predictions.keypoints.copy()
    keypoints[where] = places
    return replace(predictions, keypoints=keypoints).take(diagnosis.considered)


def _grouped(predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis) -> Corrected:
    person, joint = np.nonzero(diagnosis.grouping)
    found = predictions.keypoints[diagnosis.joints.found_in[person, joint], joint]
    where = (diagnosis.pose[person], joint)
    return _placed(predictions, diagnosis, where, found), annotations


def _rescored(
    predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis
) -> Corrected:
    return replace(predictions, scores=diagnosis.optimal), annotations


def _without_background(
    predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis
) -> Corrected:
    kept = diagnosis.considered.copy()
    kept[diagnosis.background] = False
    return predictions.take(kept), annotations


def _without_missed(
    predictions: Predictions, annotations: Annotations, diagnosis: Diagnosis
) -> Corrected:
    fewer = without_people(annotations, diagnosis.missed)
    return predictions.take(diagnosis.considered), fewer


def without_people(annotations: Annotations, instances: Mask) -> Annotations:
    """The labels where these people (M,) need not be found.

    The evaluator ignores people who have 0 labelled joints on record.
    """
    labelled = np.where(instances, 0, annotations.labelled())
    return replace(annotations, recorded_keypoints=labelled, stored="")


INSIDE = 1 - 1e-6
"""What rounding must not undo: a corrected joint lies that much nearer than the limit."""

LEAST = {Kind.MISS: NEAR, Kind.JITTER: RIGHT}
"""The similarity that a corrected joint gets, where it is not the one it has to another joint."""

CORRECTIONS: dict[str, Callable[[Predictions, Annotations, Diagnosis], Corrected]] = {
    **{kind: _moved(kind) for kind in (Kind.MISS, Kind.SWAP, Kind.INVERSION, Kind.JITTER)},
    SCORE: _rescored,
    BACKGROUND: _without_background,
    FALSE_NEGATIVE: _without_missed,
    GROUPING: _grouped,
}
