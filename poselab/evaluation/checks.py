"""What can be wrong with predictions before anybody scores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats

PEOPLE_SAMPLED = 200
JOINTS_NEEDED = 50


def check(predictions: Predictions, annotations: Annotations) -> list[str]:
    """Warnings, one sentence each.

    Raises:
        InputError: the predictions cannot be scored against these annotations at all.
    """
    _refuse(predictions, annotations)
    if not len(predictions):
        return ["there is not one prediction"]
    warnings = [
        _scores_outside(predictions),
        _shifted(predictions, annotations),
        _unmeasurable(annotations),
    ]
    return [warning for warning in warnings if warning]


def _refuse(predictions: Predictions, annotations: Annotations) -> None:
    """Raise for what makes a score meaningless."""
    count, shape = len(predictions), predictions.keypoints.shape
    if count and shape != (count, len(annotations.skeleton), 2):
        raise InputError(
            f"expected {len(annotations.skeleton)} keypoints ({annotations.skeleton.name}), got "
            f"{shape[1]}; predictions and annotations must share a skeleton"
        )
    columns = (predictions.keypoints, predictions.keypoint_scores, predictions.scores)
    if not all(np.isfinite(column).all() for column in columns):
        raise InputError(
            "expected finite coordinates and scores, got NaN or infinity; "
            "the method that wrote them diverged"
        )
    unknown = np.setdiff1d(predictions.image_ids, annotations.image_ids)
    if len(unknown):
        raise InputError(
            f"expected image ids of {annotations.source}, got {len(unknown)} others such as "
            f"{unknown[0]}; give the annotations that these predictions were made for"
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


def _unmeasurable(annotations: Annotations) -> str:
    labelled = (annotations.visible > 0).any(axis=1) & ~annotations.crowd
    lacking = int((labelled & (annotations.areas <= 0)).sum())
    return f"{lacking} labelled people have no area, so OKS finds every pose of them wrong" * (
        lacking > 0
    )


def _shifted(predictions: Predictions, annotations: Annotations) -> str:
    """Say so where all poses seem to lie one pixel off, a sign of 1-based coordinates."""
    offsets = _offsets(predictions, annotations)
    if len(offsets) < JOINTS_NEEDED:
        return ""
    middle = np.median(offsets, axis=0)
    spread = 1.4826 * np.median(np.abs(offsets - middle), axis=0)
    doubt = 1.25 * spread / np.sqrt(len(offsets))  # standard error of a median
    one_pixel = (np.abs(np.abs(middle) - 1) < 0.25) & (doubt < 0.1)
    if not one_pixel.all() or middle[0] * middle[1] < 0:
        return ""
    return (
        f"everything seems shifted by one pixel (median offset {middle[0]:+.2f}, {middle[1]:+.2f}):"
        " are the coordinates 1-based? PoseLab counts from 0"
    )


def _offsets(predictions: Predictions, annotations: Annotations) -> Floats:
    """Prediction minus label (J, 2) of a sample of people and the pose nearest to each."""
    people = np.flatnonzero((annotations.visible > 0).any(axis=1) & ~annotations.crowd)
    sample = people[:: max(1, len(people) // PEOPLE_SAMPLED)]
    pictures = annotations.image_ids[annotations.picture_of()[sample]]
    near = np.flatnonzero(np.isin(predictions.image_ids, pictures))
    order = near[np.argsort(predictions.image_ids[near], kind="stable")]
    sorted_ids = predictions.image_ids[order]
    begins = np.searchsorted(sorted_ids, pictures, side="left")
    ends = np.searchsorted(sorted_ids, pictures, side="right")
    found = []
    for person, begin, end in zip(sample, begins, ends, strict=True):
        if begin < end:
            seen = annotations.visible[person] > 0
            poses = predictions.keypoints[order[begin:end]][:, seen]
            offset = poses - annotations.keypoints[person][seen]
            found.append(offset[np.abs(offset).mean(axis=(1, 2)).argmin()])
    return np.concatenate(found) if found else np.empty((0, 2))
