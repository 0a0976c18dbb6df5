"""What can be wrong with predictions before anybody scores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.evaluation.validation import conventions as suspicions
from poselab.skeletons import COCO17
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions

MOST_PER_IMAGE = 20
"""COCO's limit of detections for keypoints."""

FEWEST_SCORES = 10
_ODD = np.uint64(0x9E3779B97F4A7C15)
AREA_BY_CUSTOM = ("crowdpose14", "aic14")
"""Skeletons whose publishers score with 0.53 of the box for want of areas."""


def check(predictions: Predictions, annotations: Annotations, metric: str = "oks") -> list[str]:
    """Warnings, one sentence each.

    ``metric`` "pck" or "pckh" leaves out what only the ranking and the similarity of "oks" need.

    Raises:
        InputError: the predictions cannot be scored against these annotations at all.
    """
    refuse(predictions, annotations)
    return doubts(predictions, annotations, metric)


def doubts(predictions: Predictions, annotations: Annotations, metric: str = "oks") -> list[str]:
    """The warnings of :func:`check` alone, about predictions that can be scored."""
    if not len(predictions):
        return ["there is not one prediction"]
    sample = suspicions.sampled(predictions, annotations)
    found = suspicions.nearest(predictions.keypoints, sample, annotations)
    warnings = suspicions.of_coordinates(predictions, annotations, sample, found)
    if metric == "oks":
        warnings.append(suspicions.scores_reversed(predictions, found))
        warnings += _of_oks(predictions, annotations)
    return [warning for warning in warnings if warning]


def doubts_of_ranking(predictions: Predictions, annotations: Annotations) -> list[str]:
    """Those of :func:`doubts` that say that poses are ranked by nothing, or the wrong way round."""
    if not len(predictions):
        return []
    sample = suspicions.sampled(predictions, annotations)
    found = suspicions.nearest(predictions.keypoints, sample, annotations)
    warnings = _scores_equal(predictions), suspicions.scores_reversed(predictions, found)
    return [warning for warning in warnings if warning]


def _of_oks(predictions: Predictions, annotations: Annotations) -> list[str]:
    """What changes AP or makes it meaningless; empty sentences for what is well."""
    return [
        _scores_outside(predictions),
        _scores_equal(predictions),
        _too_many(predictions),
        _repeated(predictions),
        _images_without(predictions, annotations),
        _unmeasurable(annotations),
        _areas_derived(annotations),
        _boxes_derived(annotations),
        _sigmas_guessed(annotations),
    ]


def refuse(predictions: Predictions, annotations: Annotations) -> None:
    """Refuse what makes a score meaningless.

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
    unknown = ~np.isin(predictions.image_ids, annotations.image_ids)
    if unknown.any():
        others = np.unique(predictions.image_ids[unknown], return_counts=True)[0]
        raise InputError(
            f"expected image ids of {annotations.source}, got {len(others)} others such as "
            f"{others[0]}; give the annotations that these predictions were made for"
        )


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
    """Whole poses are compared only where a number made of a few of their columns is the same."""
    columns = predictions.keypoints.reshape(len(predictions), -1)
    parts = [predictions.image_ids, *(columns[:, i].astype(np.float64) for i in (0, 1, -1))]
    digest = np.zeros(len(predictions), np.uint64)
    for part in parts:
        digest = digest * _ODD + np.ascontiguousarray(part).view(np.uint64)
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
    scored = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    if annotations.held_out is not None and annotations.held_out.any():
        scored &= annotations.held_out
    images = np.unique(annotations.image_of()[scored])
    without = int((~np.isin(annotations.image_ids[images], predictions.image_ids)).sum())
    if not without:
        return ""
    return (
        f"{without} of {len(images)} images with labelled people have no prediction, and their "
        "people count as missed"
    )


def _unmeasurable(annotations: Annotations) -> str:
    labelled = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    lacking = int((labelled & (annotations.areas <= 0)).sum())
    return f"{lacking} labelled people have no area, so OKS finds every pose of them wrong" * (
        lacking > 0
    )


def _areas_derived(annotations: Annotations) -> str:
    if annotations.area_rule == "annotated" or annotations.skeleton.name in AREA_BY_CUSTOM:
        return ""
    return (
        f"the annotations lack areas and OKS measures with others ({annotations.area_rule}); its "
        "figures do not compare with those of annotated areas"
    )


def _boxes_derived(annotations: Annotations) -> str:
    """Of people without keypoints only the box says where poses are to be ignored."""
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
        f"nobody published sigmas for {annotations.skeleton.name}, so OKS takes "
        f"{annotations.skeleton.oks_sigmas[0]:g} for every keypoint and compares with nobody's"
    )
