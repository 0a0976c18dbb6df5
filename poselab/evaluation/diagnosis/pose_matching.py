"""Which pose is matched to which instance in error diagnosis, and the optimal scores of poses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.diagnosis.keypoint_errors import DETECTED_SIMILARITY
from poselab.evaluation.images import image_rows
from poselab.evaluation.matching.pairs import (
    Pairs,
    match_greedily,
    most_similar_pairs,
    oks_of_pairs,
    same_image_pairs,
    scorable_pairs,
    score_ranks,
)
from poselab.evaluation.matching.similarity import oks_of_regions
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask


MIN_OKS = 0.1
"""Least OKS at which a pose can be matched to an instance."""


class Selection(NamedTuple):
    """What is diagnosed: instances that are scored (M,), poses of the chosen images (N,), and those
    of them that are evaluated (N,), the best of each image; each pose's image row (N,) and rank by
    score in its image (N,)."""

    scored: Mask
    in_chosen_images: Mask
    evaluated: Mask
    image: Ints
    rank: Ints


def select(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds,
    max_detections: int,
) -> Selection:
    """Labelled instances that are no crowds, and the best poses of each image.

    Raises:
        InputError: predictions of another skeleton, or an image that is not annotated.
    """
    joints = len(annotations.skeleton)
    if len(predictions) and predictions.keypoints.shape[1:] != (joints, 2):
        raise InputError(
            f"expected {joints} keypoints ({annotations.skeleton.name}), got "
            f"{predictions.keypoints.shape[1]}; predictions and annotations must share a skeleton"
        )
    image = image_rows(annotations, predictions.image_ids)
    chosen = np.ones(len(annotations), dtype=bool)
    if image_ids is not None:
        chosen[:] = False
        chosen[image_rows(annotations, np.asarray(image_ids))] = True
    rank = score_ranks(predictions.scores, image)
    poses = chosen[image]
    scored = chosen[annotations.image_of()] & _is_scored(annotations)
    return Selection(scored, poses, poses & (rank < max_detections), image, rank)


def _is_scored(annotations: Annotations) -> Mask:
    """Instances (M,) that COCO does not ignore, as it does those recorded with 0 keypoints."""
    return np.asarray(annotations.scorable() & (annotations.labelled() > 0))


class PoseMatches(NamedTuple):
    """All pairs (Q,) of an evaluated pose and a scored instance of one image, and the arrays of
    :class:`poselab.evaluation.diagnosis.diagnosis.Diagnosis` that follow from them."""

    pairs: Pairs
    pose_of: Ints
    oks: Floats
    background: Ints
    duplicates: Ints
    optimal_scores: Floats
    score_errors: Mask


def match_poses(
    predictions: Predictions,
    annotations: Annotations,
    selection: Selection,
    sigmas: Sequence[float],
    known: Pairs | None = None,
) -> PoseMatches:
    """Match poses to instances once, the best score first; ``known`` are all scorable pairs."""
    if known is None:
        known = scorable_pairs(predictions, annotations, sigmas)
    chosen = selection.scored[known.person] & selection.in_chosen_images[known.pose]
    optimal, score_errors = _ranking(known.take(chosen & (known.oks >= MIN_OKS)), selection)
    pairs = known.take(chosen & selection.evaluated[known.pose])
    similar = pairs.take(pairs.oks >= MIN_OKS)
    pose_of = match_greedily(similar, selection.rank[similar.pose], annotations.num_instances)
    oks = np.where(selection.scored, 0.0, np.nan)
    matched = similar.take(pose_of[similar.person] == similar.pose)
    oks[matched.person] = matched.oks
    unlike = np.setdiff1d(np.flatnonzero(selection.evaluated), similar.pose)
    ignored = _match_ignored_regions(unlike, predictions, annotations, selection, sigmas)
    return PoseMatches(
        pairs=pairs,
        pose_of=pose_of,
        oks=oks,
        background=unlike[~ignored],
        duplicates=np.setdiff1d(similar.pose, pose_of),
        optimal_scores=optimal,
        score_errors=score_errors,
    )


def _match_ignored_regions(
    poses: Ints,
    predictions: Predictions,
    annotations: Annotations,
    selection: Selection,
    sigmas: Sequence[float],
) -> Mask:
    """Which poses (n,) lie on a crowd or an unlabelled person, where COCO ignores them."""
    regions = np.flatnonzero(~_is_scored(annotations))
    pose, region = same_image_pairs(poses, selection.image[poses], regions, annotations)
    labelled = (annotations.visibility[region] > 0).any(axis=1)
    similar = np.where(
        labelled,
        oks_of_pairs((pose, region), predictions, annotations, sigmas).oks,
        oks_of_regions(predictions.keypoints[pose], annotations, region, sigmas),
    )
    return np.isin(poses, pose[similar >= MIN_OKS])


def _ranking(similar: Pairs, selection: Selection) -> tuple[Floats, Mask]:
    """The optimal scores (N,) of poses, and the instances (M,) with a score error."""
    # Below all optimal scores: poses that are left over, by their OKS, then those of other images.
    optimal = np.where(selection.in_chosen_images, -1.0, -2.0)
    np.maximum.at(optimal, similar.pose, similar.oks - 1)
    best = similar.take(most_similar_pairs(similar))
    optimal[best.pose] = best.oks
    rank_of_best = np.full(len(selection.scored), -1)
    rank_of_best[best.person] = selection.rank[best.pose]
    taken = np.isin(similar.pose, best.pose[best.oks >= DETECTED_SIMILARITY])
    left_over = ~taken & (similar.oks >= DETECTED_SIMILARITY)
    ahead = left_over & (selection.rank[similar.pose] < rank_of_best[similar.person])
    score_errors = np.zeros(len(selection.scored), dtype=bool)
    score_errors[similar.person[ahead]] = True
    return optimal, score_errors
