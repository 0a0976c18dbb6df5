"""Whether a score says how good a pose is: correlation, reliability, calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.matching.instances import match_instances
from poselab.evaluation.matching.similarity import joint_similarity, oks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.instances import InstanceMatches
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

BINS = 10


class Reliability(NamedTuple):
    """Of B bins of score edges[b] <= score < edges[b + 1], the last one closed: how many scores
    fell there (B,), their mean score (B,) and mean quality (B,), NaN where none did."""

    edges: Floats
    counts: Ints
    scores: Floats
    quality: Floats


class Calibration(NamedTuple):
    """Scores (n,) and what they should say (n,), 0 to 1, with what follows from them.

    pearson and spearman: correlation, NaN where either never changes; error: the expected
    calibration error, NaN where scores leave 0 to 1 and so are no estimates of quality.
    """

    scores: Floats
    quality: Floats
    pearson: float
    spearman: float
    error: float
    reliability: Reliability


def calibration(scores: Floats, quality: Floats, bins: int = BINS) -> Calibration:
    """Compare scores (n,) with the quality (n,) they stand for.

    The error is sum over bins of |mean quality - mean score| · count / n with bins of equal width
    (Naeini et al. 2015; Guo et al. 2017, eq. 3, with quality in the place of accuracy). Scores
    outside 0 to 1 are binned between the least and the greatest.
    """
    from scipy.stats import rankdata

    table = reliability(scores, quality, bins)
    share = table.counts / max(len(scores), 1)
    error = float(np.nansum(np.abs(table.quality - table.scores) * share))
    return Calibration(
        scores,
        quality,
        _correlation(scores, quality),
        _correlation(rankdata(scores), rankdata(quality)),
        error if len(scores) and _in_unit(scores) else float("nan"),
        table,
    )


def reliability(scores: Floats, quality: Floats, bins: int = BINS) -> Reliability:
    """Mean score and mean quality in ``bins`` of equal width, as a reliability diagram draws."""
    low, high = (0.0, 1.0) if _in_unit(scores) else (scores.min(), scores.max())
    edges = np.linspace(low, high, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=values, minlength=bins) for values in (scores, quality))
    means = (
        np.divide(s, counts, out=np.full(bins, np.nan), where=counts > 0, casting="unsafe")
        for s in sums
    )
    return Reliability(edges, counts, *means)


def pose_calibration(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    unmatched: bool = False,
    bins: int = BINS,
    match: str = "best_oks",
    sigmas: Sequence[float] | None = None,
) -> Calibration:
    """Scores of poses against their OKS, as Li et al., "Human Pose Regression with Residual
    Log-likelihood Estimation" (ICCV 2021), correlate them.

    One pose per person, matched by one of
    :data:`poselab.evaluation.matching.instances.MATCH_RULES`. With ``unmatched``, poses of the same
    images that are not matched to a person take part with quality 0.

    Raises:
        InputError: predictions that cannot be matched.
    """
    matches = match_instances(predictions, annotations, image_ids, match)
    return calibration_of_matches(matches, predictions, annotations, sigmas, unmatched, bins)


def calibration_of_matches(
    matches: InstanceMatches,
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float] | None = None,
    unmatched: bool = False,
    bins: int = BINS,
) -> Calibration:
    """:func:`pose_calibration` of predictions that are matched already."""
    instances, poses = matches.matched()
    quality = np.zeros(len(predictions))
    if len(poses):  # an empty file has no axis of keypoints
        quality[poses] = oks(predictions.keypoints[poses], annotations, instances, sigmas)
    taken = np.isin(np.arange(len(predictions)), poses)
    if unmatched:
        taken |= np.isin(predictions.image_ids, matches.image_ids)
    return calibration(predictions.scores[taken], quality[taken], bins)


def joint_calibration(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    bins: int = BINS,
    match: str = "best_oks",
    sigmas: Sequence[float] | None = None,
) -> Calibration:
    """Scores of keypoints against their similarity, of labelled joints of matched poses.

    Raises:
        InputError: predictions that cannot be matched.
    """
    instances, poses = match_instances(predictions, annotations, image_ids, match).matched()
    labelled = annotations.visibility[instances] > 0
    if not labelled.any():
        return calibration(np.empty(0), np.empty(0), bins)
    similar = joint_similarity(predictions.keypoints[poses], annotations, instances, sigmas)
    return calibration(predictions.keypoint_scores[poses][labelled], similar[labelled], bins)


def _in_unit(scores: Floats) -> bool:
    return not len(scores) or bool(scores.min() >= 0 and scores.max() <= 1)


def _correlation(first: Floats, second: Floats) -> float:
    """Pearson's, NaN where either is constant."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
