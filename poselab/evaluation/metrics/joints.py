"""Metrics of single joints under OKS: how similar, how often similar enough, and AP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import point_values
from poselab.evaluation.fractions import fraction
from poselab.evaluation.matching.instances import match_instances
from poselab.evaluation.matching.pairs import slices_of_pairs
from poselab.evaluation.matching.similarity import joint_similarity
from poselab.evaluation.metrics.average_precision import OksAccumulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.instances import InstanceMatches
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

SIMILARITIES = (0.5, 0.75, 0.9)


class JointSimilarities(NamedTuple):
    """Of K joints, NaN for those that are never labelled.

    labelled (K,) people who have it; similarity (K,) its mean; reached (K, T) the fraction whose
    similarity reaches each of thresholds (T,).
    """

    joints: tuple[str, ...]
    labelled: Ints
    similarity: Floats
    thresholds: tuple[float, ...]
    reached: Floats


def joint_similarities(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    thresholds: Sequence[float] = SIMILARITIES,
    match: str = "best_oks",
    sigmas: Sequence[float] | None = None,
) -> JointSimilarities:
    """Every labelled joint of every person against the one pose that is matched to them.

    Similarity is exp(-d² / (2·(2σ)²·area)), of which OKS is a person's mean; without a pose it is
    0. ``match`` is one of :data:`poselab.evaluation.matching.instances.MATCH_RULES`.

    Raises:
        InputError: predictions that cannot be matched.
    """
    matches = match_instances(predictions, annotations, image_ids, match)
    return similarities_of_matches(matches, predictions, annotations, thresholds, sigmas)


def similarities_of_matches(
    matches: InstanceMatches,
    predictions: Predictions,
    annotations: Annotations,
    thresholds: Sequence[float] = SIMILARITIES,
    sigmas: Sequence[float] | None = None,
) -> JointSimilarities:
    """:func:`joint_similarities` of predictions that are matched already."""
    similar = np.zeros((len(matches.instances), len(annotations.skeleton)))
    instances, poses = matches.matched()
    if len(poses):  # an empty file has no axis of keypoints
        rows = np.flatnonzero(matches.poses >= 0)
        for part in slices_of_pairs(len(rows), similar.shape[1]):
            similar[rows[part]] = joint_similarity(
                predictions.keypoints[poses[part]], annotations, instances[part], sigmas
            )
    labelled = annotations.visibility[matches.instances] > 0
    counts = labelled.sum(axis=0)
    reached = np.stack([((similar >= t) & labelled).sum(axis=0) for t in thresholds], axis=1)
    return JointSimilarities(
        annotations.skeleton.keypoints,
        counts,
        fraction(similar.sum(axis=0), counts),
        tuple(thresholds),
        fraction(reached, counts[:, None]),
    )


def joint_average_precision(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
) -> Floats:
    """AP (K,) as if each joint were the only one labelled, the whole pose scored and ranked.

    Exactly COCO's metric on annotations that lack all other joints: OKS is the joint's similarity,
    poses are matched anew by it, and people without the joint are ignored. NaN for joints that are
    never labelled.
    """
    values = []
    for joint in range(len(annotations.skeleton)):
        alone = np.zeros_like(annotations.visibility)
        alone[:, joint] = annotations.visibility[:, joint]
        one_joint = replace(annotations, visibility=alone, recorded_keypoints=None, cache_file="")
        matching = evaluator.match(predictions, one_joint, image_ids, ("all",))
        values.append(point_values(OksAccumulator(matching))["AP"])
    return np.array(values)
