"""Errors and warnings about predictions, before they are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.check import area_warning
from poselab.evaluation.images import check_image_ids, instances_to_score
from poselab.evaluation.validation.mixed_up_conventions import (
    coordinate_warnings,
    nearest_poses,
    reversed_scores_warning,
    sample_pairs,
)
from poselab.skeletons import COCO17
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions

MOST_PER_IMAGE = 20
"""COCO's limit of detections for keypoints."""

FEWEST_SCORES = 10
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
AREA_BY_CUSTOM = ("crowdpose14", "aic14")
"""Skeletons whose publishers provide no areas and score with 0.53 of the box instead."""


def validate_predictions(
    predictions: Predictions, annotations: Annotations, ranked_by_oks: bool = True
) -> list[str]:
    """Check predictions, then warn of what is questionable about them.

    Errors and warnings are those of :func:`check_predictions` and :func:`prediction_warnings`.
    """
    check_predictions(predictions, annotations)
    return prediction_warnings(predictions, annotations, ranked_by_oks)


def check_predictions(predictions: Predictions, annotations: Annotations) -> None:
    """Check that predictions can be scored.

    Raises:
        InputError: another number of keypoints, numbers that are not finite, or unknown images.
    """
    count, shape = len(predictions), predictions.keypoints.shape
    if count and shape != (count, len(annotations.skeleton), 2):
        body = annotations.layout == "coco_wholebody" and shape[1] == len(COCO17)
        raise InputError(
            f"expected {len(annotations.skeleton)} keypoints ({annotations.skeleton.name}), got "
            f"{shape[1]}; predictions and annotations must share a skeleton"
            + body
            * " (layout coco reads these annotations as COCO's 17)"
        )
    columns = (predictions.keypoints, predictions.keypoint_scores, predictions.scores)
    if not all(np.isfinite(column).all() for column in columns):
        raise InputError(
            "expected finite coordinates and scores, got NaN or infinity; "
            "the method that wrote them diverged"
        )
    check_image_ids(annotations, predictions.image_ids)


def prediction_warnings(
    predictions: Predictions, annotations: Annotations, ranked_by_oks: bool = True
) -> list[str]:
    """What is questionable about predictions that can be scored, one sentence each.

    Without ``ranked_by_oks``, warnings that concern only the ranking and OKS are left out.
    """
    if not len(predictions):
        return ["there are no predictions"]
    sample = sample_pairs(predictions, annotations)
    nearest = nearest_poses(predictions.keypoints, sample, annotations)
    warnings = coordinate_warnings(predictions, annotations, sample, nearest)
    if ranked_by_oks:
        warnings.append(reversed_scores_warning(predictions, nearest))
        warnings += _oks_warnings(predictions, annotations)
    return [warning for warning in warnings if warning]


def ranking_warnings(predictions: Predictions, annotations: Annotations) -> list[str]:
    """The warnings about scores that do not rank poses, or rank them in reverse."""
    if not len(predictions):
        return []
    sample = sample_pairs(predictions, annotations)
    nearest = nearest_poses(predictions.keypoints, sample, annotations)
    warnings = _scores_equal(predictions), reversed_scores_warning(predictions, nearest)
    return [warning for warning in warnings if warning]


def _oks_warnings(predictions: Predictions, annotations: Annotations) -> list[str]:
    """What changes AP or makes it meaningless; empty where nothing is wrong."""
    return [
        _scores_outside(predictions),
        _scores_equal(predictions),
        _too_many(predictions),
        _repeated(predictions),
        _images_without(predictions, annotations),
        *oks_annotation_warnings(annotations),
    ]


def oks_annotation_warnings(annotations: Annotations) -> list[str]:
    """What makes OKS of these annotations questionable, whatever is predicted."""
    sentences = (
        area_warning(annotations),
        _areas_derived(annotations),
        _boxes_derived(annotations),
        _sigmas_guessed(annotations),
    )
    return [sentence for sentence in sentences if sentence]


def _scores_outside(predictions: Predictions) -> str:
    scores = predictions.scores
    outside = int(((scores < 0) | (scores > 1)).sum())
    if not outside:
        return ""
    return (
        f"{outside} scores lie outside [0, 1] ({scores.min():.3g} to {scores.max():.3g}); "
        "AP needs only their order"
    )


def _scores_equal(predictions: Predictions) -> str:
    scores = predictions.scores
    if len(scores) < FEWEST_SCORES or scores.min() < scores.max():
        return ""
    return (
        f"all {len(scores)} scores are {scores[0]:g}, so the order of the file ranks the poses and "
        "AP says little; a pose's score should be its confidence"
    )


def _too_many(predictions: Predictions) -> str:
    _, counts = np.unique(predictions.image_ids, return_counts=True)
    crowded = counts[counts > MOST_PER_IMAGE]
    if not len(crowded):
        return ""
    return (
        f"AP drops {int((crowded - MOST_PER_IMAGE).sum())} poses, those beyond the best "
        f"{MOST_PER_IMAGE} of an image (images: {len(crowded)}, most poses: {crowded.max()})"
    )


def _repeated(predictions: Predictions) -> str:
    """Whole poses are compared only where a hash of a few of their columns is the same."""
    columns = predictions.keypoints.reshape(len(predictions), -1)
    parts = [predictions.image_ids, *(columns[:, i].astype(np.float64) for i in (0, 1, -1))]
    digest = np.zeros(len(predictions), np.uint64)
    for part in parts:
        digest = digest * _HASH_FACTOR + np.ascontiguousarray(part).view(np.uint64)
    ordered = np.sort(digest)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return ""
    nearest = np.minimum(np.searchsorted(twice, digest), len(twice) - 1)
    rows = np.flatnonzero(twice[nearest] == digest)
    rows = rows[np.argsort(digest[rows], kind="stable")]
    one, other = rows[:-1], rows[1:]
    same = predictions.image_ids[one] == predictions.image_ids[other]
    same &= (columns[one] == columns[other]).all(axis=1)
    return (
        f"{int(same.sum())} poses repeat another one of their image exactly, and only one of "
        "them can be right; write each pose once"
    ) * bool(same.any())


def _images_without(predictions: Predictions, annotations: Annotations) -> str:
    images = np.unique(annotations.image_of()[instances_to_score(annotations)])
    without = int((~np.isin(annotations.image_ids[images], predictions.image_ids)).sum())
    if not without:
        return ""
    return (
        f"{without} of {len(images)} images with labelled people have no prediction, and their "
        "people count as missed"
    )


def _areas_derived(annotations: Annotations) -> str:
    if annotations.area_rule == "annotated" or annotations.skeleton.name in AREA_BY_CUSTOM:
        return ""
    return (
        f"the annotations lack areas, so OKS uses derived ones ({annotations.area_rule}); its "
        "values are not comparable with those of annotated areas"
    )


def _boxes_derived(annotations: Annotations) -> str:
    """Boxes that are missing where they define the regions in which poses are ignored."""
    ignored = annotations.crowd | (annotations.labelled() == 0)
    boxless = int((ignored & ~annotations.boxes[:, 2:].any(axis=1)).sum())
    return (
        f"{boxless} crowds or people without keypoints have no box, so poses of them count as "
        "wrong instead of being ignored"
    ) * (boxless > 0)


def _sigmas_guessed(annotations: Annotations) -> str:
    if annotations.skeleton.sigmas is not None:
        return ""
    return (
        f"there are no published sigmas for {annotations.skeleton.name}, so OKS uses "
        f"{annotations.skeleton.oks_sigmas[0]:g} for every keypoint; its values are not comparable "
        "with published ones (--sigmas, or data.sigmas in training, sets others, and `poselab data "
        "sigmas` estimates them)"
    )
