"""Signs of mixed-up conventions in the coordinates and scores of predictions.

All compare a sample of labelled people with the nearest pose of their image, and take medians, so
that a method's misses and the joints it never predicts do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.annotations.conventions import (
    PEOPLE_NEEDED,
    PEOPLE_SAMPLED,
    annotated_box_reading,
    box_reading,
    fractions_of_image,
)
from poselab.evaluation.predictions import ABSENT

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

JOINTS_SAMPLED = 250_000
POSES_SAMPLED = 10_000
JOINTS_NEEDED = 50
BETTER = 0.5
"""Another convention is reported if it leaves less than this fraction of the error."""

BAD = 0.1
"""Errors below this fraction of a person's extent are not examined."""

REVERSED = 0.5
PEOPLE_RANKED = 30
FAR_OUT = 0.01
_SWAPPED = "the poses fit far better with x and y swapped: were they written as row, column?"
_FLIPPED = (
    "the poses fit far better with left and right swapped: are they the observer's left and right, "
    "or are the keypoints in another order?"
)


class SampledPairs(NamedTuple):
    """Rows of sampled people (S,), and all pairs of one of them (Q,) and a pose (Q,) of the same
    image; the pairs of person s begin at begins[s]."""

    instances: Ints
    begins: Ints
    person: Ints
    pose: Ints


class NearestPoses(NamedTuple):
    """Of each sampled person the nearest pose (S,), the median distance of its joints as a part of
    the person's extent (S,), and all labelled joints' offsets (J, 2)."""

    poses: Ints
    errors: Floats
    offsets: Floats


def coordinate_warnings(
    predictions: Predictions, annotations: Annotations, sample: SampledPairs, nearest: NearestPoses
) -> list[str]:
    """A sentence for each mix-up that the positions suggest; empty where nothing is wrong.

    ``sample`` and ``nearest`` are those of :func:`sample_pairs` and :func:`nearest_poses`.
    """
    if normalised := _normalised(predictions, annotations, sample):
        return [normalised]
    return [
        _shifted(nearest),
        *_other_conventions(predictions.keypoints, sample, annotations, nearest),
        _outside(predictions, annotations),
        _predicted_corners(predictions),
        fractions_of_image(annotations),
        annotated_box_reading(annotations),
    ]


def sample_pairs(predictions: Predictions, annotations: Annotations) -> SampledPairs:
    """Pairs of poses and labelled people, the people sampled evenly over the file."""
    instances = np.flatnonzero(annotations.scorable())
    ids = annotations.image_ids[annotations.image_of()[instances]]
    order = np.argsort(predictions.image_ids, kind="stable")
    sorted_ids = predictions.image_ids[order]
    first = np.searchsorted(sorted_ids, ids, side="left")
    counts = np.searchsorted(sorted_ids, ids, side="right") - first
    instances, first, counts = (column[counts > 0] for column in (instances, first, counts))
    joints = int(counts.sum()) * len(annotations.skeleton)
    step = max(1, -(-len(instances) // PEOPLE_SAMPLED), -(-joints // JOINTS_SAMPLED))
    instances, first, counts = instances[::step], first[::step], counts[::step]
    begins = np.cumsum(counts) - counts
    person = np.repeat(np.arange(len(instances)), counts)
    place = first[person] + np.arange(len(person)) - begins[person]
    return SampledPairs(instances, begins, person, order[place])


def nearest_poses(
    keypoints: Floats, sample: SampledPairs, annotations: Annotations
) -> NearestPoses:
    """The pose (of (N, K, 2) keypoints) whose median joint lies nearest to each person."""
    if not len(sample.instances):
        return NearestPoses(sample.instances, np.empty(0), np.empty((0, 2)))
    seen = annotations.visibility[sample.instances] > 0
    ground_truth = annotations.keypoints[sample.instances]
    apart = keypoints[sample.pose] - ground_truth[sample.person]
    distances = np.hypot(apart[..., 0], apart[..., 1])
    distances[~seen[sample.person]] = np.inf
    middle = (np.count_nonzero(seen, axis=1) - 1) // 2
    medians = np.take_along_axis(np.sort(distances, axis=1), middle[sample.person, None], 1)[:, 0]
    order = np.lexsort((medians, sample.person))
    best = order[sample.begins]  # the first pair of every person, pairs being grouped by person
    corners = [np.where(seen[..., None], ground_truth, fill) for fill in (np.inf, -np.inf)]
    extents = (corners[1].max(axis=1) - corners[0].min(axis=1)).max(axis=1)
    errors = medians[best] / np.maximum(extents, 1.0)
    return NearestPoses(sample.pose[best], errors, apart[best][seen])


def _normalised(predictions: Predictions, annotations: Annotations, sample: SampledPairs) -> str:
    """Coordinates that are fractions of the image's size instead of pixels."""
    if len(sample.pose) and np.abs(predictions.keypoints[sample.pose[0]]).max() > 2:
        return ""
    largest = np.abs(predictions.keypoints).max(initial=0.0)
    labelled = annotations.keypoints[sample.instances].max(initial=0.0)
    if largest > 2 or labelled < 10 * max(largest, 1.0):
        return ""
    return (
        f"no predicted coordinate is beyond {largest:.3g}: are they fractions of the image's "
        "width and height? PoseLab expects pixels"
    )


def _shifted(nearest: NearestPoses) -> str:
    """All poses one pixel off, a sign of 1-based coordinates.

    It cannot be distinguished from a method's own bias of one pixel, and a greater bias hides it.
    """
    offsets = nearest.offsets
    if len(offsets) < JOINTS_NEEDED:
        return ""
    middle = np.median(offsets, axis=0)
    spread = 1.4826 * np.median(np.abs(offsets - middle), axis=0)
    error = 1.25 * spread / np.sqrt(len(offsets))  # standard error of a median
    one_pixel = (np.abs(np.abs(middle) - 1) < 0.25) & (error < 0.1)
    if not one_pixel.all() or middle[0] * middle[1] < 0:
        return ""
    return (
        f"everything seems shifted by one pixel (median offset {middle[0]:+.2f}, {middle[1]:+.2f}):"
        " are the coordinates 1-based? PoseLab counts from 0"
    )


def _other_conventions(
    keypoints: Floats, sample: SampledPairs, annotations: Annotations, nearest: NearestPoses
) -> list[str]:
    """Other conventions under which a large error becomes much smaller."""
    if len(nearest.errors) < PEOPLE_NEEDED or (error := float(np.median(nearest.errors))) <= BAD:
        return []
    flip = list(annotations.skeleton.flip_index)
    readings = {_SWAPPED: keypoints[..., ::-1], _FLIPPED: keypoints[:, flip]}
    return [
        warning
        for warning, reading in readings.items()
        if float(np.median(nearest_poses(reading, sample, annotations).errors)) < BETTER * error
    ]


def _outside(predictions: Predictions, annotations: Annotations) -> str:
    """Keypoints more than half an image away from it, where sizes are known."""
    poses = slice(None, None, max(1, len(predictions) // POSES_SAMPLED))
    rows = rows_of(annotations.image_ids, predictions.image_ids[poses])
    sizes = annotations.sizes[rows][:, None, ::-1].astype(np.float64)
    middle = (sizes - 1) / 2
    keypoints = predictions.keypoints[poses]
    far = (np.abs(keypoints - middle) > sizes).any(axis=2) & (sizes > 0).all(axis=2)
    far &= (keypoints != ABSENT).any(axis=2)
    if far.mean() <= FAR_OUT:
        return ""
    return (
        f"{100 * far.mean():.0f} % of the keypoints lie more than half an image outside: are they "
        "pixels of these images at their full size?"
    )


def _predicted_corners(predictions: Predictions) -> str:
    if predictions.boxes is None:
        return ""
    return box_reading("the predictions'", predictions.boxes, predictions.keypoints)


def reversed_scores_warning(predictions: Predictions, nearest: NearestPoses) -> str:
    """Poses that fit worse the better they score."""
    scores = predictions.scores[nearest.poses]
    if len(scores) < PEOPLE_RANKED or scores.min() == scores.max():
        return ""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (scores, nearest.errors)]
    if np.corrcoef(ranks[0], ranks[1])[0, 1] < REVERSED:
        return ""
    return "poses with greater scores fit worse: are the scores losses or distances?"
