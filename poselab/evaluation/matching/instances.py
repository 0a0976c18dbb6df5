"""One pose for each labelled person, for metrics that compare person by person without ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.images import (
    check_image_ids,
    image_rows,
    images_to_score,
    instances_to_score,
)
from poselab.evaluation.matching.pairs import (
    match_greedily,
    scorable_pairs,
    score_ranks,
)
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.pairs import Pairs
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Ints, Mask


class InstanceMatches(NamedTuple):
    """The prediction matched to each person who is scored.

    instances (P,) person rows; poses (P,) prediction rows, -1 for none; image_ids (N,) all images
    that are scored, ascending.
    """

    instances: Ints
    poses: Ints
    image_ids: Ints

    def matched(self) -> tuple[Ints, Ints]:
        """Person rows and prediction rows of the people who have a pose."""
        matched = self.poses >= 0
        return self.instances[matched], self.poses[matched]


def match_instances(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds,
    rule: str,
    measurable: Mask | None = None,
    pairs: Pairs | None = None,
) -> InstanceMatches:
    """Match the people of the chosen images, else those held out for testing, else all.

    ``rule`` is one of :data:`MATCH_RULES`; people who are not ``measurable`` (M,) are left out.
    ``pairs`` are all scorable ones by the skeleton's sigmas, if they are known.

    Raises:
        InputError: predictions that the rule cannot match, or an image that is not annotated.
    """
    wanted = instances_to_score(annotations, image_ids)
    rows = np.flatnonzero(wanted if measurable is None else wanted & measurable)
    images = np.sort(annotations.image_ids[images_to_score(annotations, image_ids)])
    if rule == "best_oks" and pairs is not None:
        return InstanceMatches(rows, _match(pairs, predictions, annotations)[rows], images)
    return InstanceMatches(rows, MATCH_RULES[rule](predictions, annotations)[rows], images)


def match_by_annotation_id(predictions: Predictions, annotations: Annotations) -> Ints:
    """The prediction row (M,) of each person, -1 for none, as the predictions say.

    Raises:
        InputError: a pose without a known annotation id, or two poses of one person.
    """
    ids, order = np.unique(annotations.annotation_ids, return_index=True)
    place = np.minimum(np.searchsorted(ids, predictions.annotation_ids), max(len(ids) - 1, 0))
    known = ids[place] == predictions.annotation_ids if len(ids) else np.zeros(len(place), bool)
    if not known.all():
        first = predictions.annotation_ids[np.argmin(known)]
        raise InputError(
            f"expected the annotation_id of a labelled person in every prediction, got "
            f"{'none' if first < 0 else first} in {int((~known).sum())}; PCK compares person by "
            "person: predict from ground-truth boxes, or score otherwise (--match best_oks or "
            "--metric oks; in training evaluator=oks)"
        )
    values, counts = np.unique(predictions.annotation_ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"expected one prediction per person, got {counts.max()} of annotation_id "
            f"{values[counts.argmax()]}; keep the best"
        )
    pose_of = np.full(annotations.num_instances, -1)
    pose_of[order[place]] = np.arange(len(predictions))
    return pose_of


def match_by_best_oks(predictions: Predictions, annotations: Annotations) -> Ints:
    """The prediction row (M,) of each person, -1 for none, whatever ids the predictions name.

    COCO's greedy matching (Lin et al. 2014) without its thresholds, its crowds and its limit of
    detections: any OKS above 0 will do. A person without area is matched to an exact pose alone.

    Raises:
        InputError: a pose of an image that is not annotated.
    """
    check_image_ids(annotations, predictions.image_ids)
    pairs = scorable_pairs(predictions, annotations, annotations.skeleton.oks_sigmas)
    return _match(pairs, predictions, annotations)


def _match(pairs: Pairs, predictions: Predictions, annotations: Annotations) -> Ints:
    pairs = pairs.take(pairs.oks > 0)
    image = image_rows(annotations, predictions.image_ids)
    rank = score_ranks(predictions.scores, image)[pairs.pose]
    return match_greedily(pairs, rank, annotations.num_instances)


MATCH_RULES = {"annotation_id": match_by_annotation_id, "best_oks": match_by_best_oks}
"""How predictions are matched to people."""


def check_match_rule(rule: str) -> None:
    """Check that a rule is one of :data:`MATCH_RULES`.

    Raises:
        InputError: it is none.
    """
    if rule not in MATCH_RULES:
        raise InputError(f"expected match {' or '.join(MATCH_RULES)}, got {rule!r}")


def match_comparability(rule: str, annotations: Annotations) -> dict[str, Any]:
    """What metric values depend on through the rule by which predictions were matched."""
    if rule == "annotation_id":
        return {"match": rule}
    sigmas = list(annotations.skeleton.oks_sigmas)
    return {"match": rule, "sigmas": sigmas, "area": annotations.area_rule}
