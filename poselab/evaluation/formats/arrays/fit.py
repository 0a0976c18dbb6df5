"""How well poses fit the ground truth, whatever the order of their joints."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.matching.pairs import same_image_pairs

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.formats.arrays.rows import Rows
    from poselab.structures import Floats, Ints, Mask

PEOPLE_SAMPLED = 400
DISTANCES = 1 << 21  # of a joint and a joint: 16 MB an array
BETTER = 0.8
FAR = 1e9
"""Coordinates beyond this, and NaN, are nowhere near: larger ones would overflow."""


class Fit(NamedTuple):
    """A sample of people, and of each the pose that lies nearest to it in its image.

    error: the median over people of the median distance from a labelled joint to the pose's nearest
    joint, in the person's extent; ordered_error: the same to the pose's joint of the same number,
    infinite if their numbers of joints differ; pose (S,) and person (S,) rows; distances
    (S, Kp, Kg) in extents from each joint of the pose to each joint of the person, NaN where that
    is not labelled; offsets (S, Kp, Kg, 2) in pixels.
    """

    error: float
    ordered_error: float
    pose: Ints
    person: Ints
    distances: Floats
    offsets: Floats


def fit(poses: Floats, rows: Rows, annotations: Annotations) -> Fit:
    """The fit of poses (N, Kp, 2) whose people or images are ``rows``."""
    joints = poses.shape[1] * len(annotations.skeleton)
    pose, person = _sampled_pairs(rows, annotations, max(1, DISTANCES // joints))
    found = np.nan_to_num(poses[pose].astype(np.float64), nan=FAR, posinf=FAR, neginf=-FAR)
    offsets = np.clip(found, -FAR, FAR)[:, :, None] - annotations.keypoints[person][:, None]
    labelled = annotations.visibility[person] > 0
    distances = np.hypot(offsets[..., 0], offsets[..., 1]) / _extents(annotations, person)
    distances[~np.broadcast_to(labelled[:, None], distances.shape)] = np.nan
    if not len(pose):
        return Fit(np.inf, np.inf, pose, person, distances, offsets)
    errors = np.nanmedian(distances.min(axis=1), axis=1)
    order = np.lexsort((errors, person))
    best = order[np.unique(person[order], return_index=True)[1]]
    pose, person = pose[best], person[best]
    distances, offsets = distances[best], offsets[best]
    ordered = np.inf
    if distances.shape[1] == distances.shape[2]:
        ordered = np.median(np.nanmedian(np.einsum("skk->sk", distances), axis=1))
    return Fit(float(np.median(errors[best])), float(ordered), pose, person, distances, offsets)


def fits_in_order(measured: Fit, poses: Floats, annotations: Annotations) -> bool:
    """Whether poses lie nearer to their people than to other people, at most ``BETTER`` as far."""
    if len(measured.person) < 8:  # too few to tell
        return True
    labelled = annotations.visibility[measured.person] > 0
    middle = _middles(annotations.keypoints[measured.person], labelled)
    sizes = _extents(annotations, measured.person)[:, 0, 0]
    own, other = (
        np.nanmedian(
            np.hypot(*(_middles(found, np.isfinite(found.sum(axis=2))) - middle).T) / sizes
        )
        for found in (poses[measured.pose], poses[np.roll(measured.pose, 1)])
    )
    return not own > BETTER * other


def _middles(keypoints: Floats, known: Mask) -> Floats:
    """The median (S, 2) of the known joints of each pose, far away where there are none."""
    placed = np.where(known[..., None], np.clip(keypoints, -FAR, FAR), np.nan)
    placed[~known.any(axis=1)] = FAR
    return np.asarray(np.nanmedian(placed, axis=1))


def _sampled_pairs(rows: Rows, annotations: Annotations, most: int) -> tuple[Ints, Ints]:
    """Pairs of a pose and a person who are one, or else only share their image, by person."""
    scorable = annotations.scorable()
    known = rows.people >= 0
    if known.all():
        poses = np.flatnonzero(scorable[rows.people])
        poses = poses[:: max(1, -(-len(poses) // min(PEOPLE_SAMPLED, most)))]
        return poses, rows.people[poses]
    people = np.flatnonzero(scorable)
    poses = np.arange(len(rows.images))
    people = people[:: max(1, -(-len(people) // PEOPLE_SAMPLED))]
    pose, person = same_image_pairs(poses, rows.images, people, annotations)
    return pose[:most], person[:most]


def _extents(annotations: Annotations, person: Ints) -> Floats:
    """The longer side (S, 1, 1) of the box around each person's labelled joints, at least 1."""
    labelled = (annotations.visibility[person] > 0)[..., None]
    points = annotations.keypoints[person]
    low, high = (
        np.where(labelled, points, fill).min(axis=1) * sign
        for points, fill, sign in ((points, np.inf, 1), (-points, np.inf, -1))
    )
    sides: Floats = np.maximum((high - low).max(axis=1), 1.0)
    return sides[:, None, None]
