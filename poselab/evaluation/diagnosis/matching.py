"""Which pose answers for which person in error diagnosis, and how poses should have been ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.diagnosis.keypoint_errors import NEAR
from poselab.evaluation.matching.pairs import Pairs, in_turn, most_alike, together, turns, with_oks
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

LEAST_OKS = 0.1
"""OKS from which a pose can answer for a person at all."""


class Parties(NamedTuple):
    """Who takes part: scored people (M,); poses (N,) of chosen images and those of them that are
    considered (N,), the best; each pose's image row (N,) and turn in that image (N,)."""

    scored: Mask
    chosen: Mask
    considered: Mask
    image: Ints
    turn: Ints


def parties(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds,
    max_detections: int,
) -> Parties:
    """Labelled people who are no crowds, and the best poses of each image.

    Raises:
        InputError: predictions of another skeleton, or an image that is not annotated.
    """
    keypoints, joints = predictions.keypoints, len(annotations.skeleton)
    if len(predictions) and keypoints.shape[1:] != (joints, 2):
        raise InputError(
            f"expected {joints} keypoints ({annotations.skeleton.name}), got {keypoints.shape[1]}; "
            "predictions and annotations must share a skeleton"
        )
    image = _images(annotations, predictions.image_ids)
    chosen = np.ones(len(annotations), dtype=bool)
    if image_ids is not None:
        chosen[:] = False
        chosen[_images(annotations, np.asarray(image_ids))] = True
    turn = turns(predictions.scores, image)
    poses = chosen[image]
    scored = chosen[annotations.image_of()] & _labelled(annotations)
    return Parties(scored, poses, poses & (turn < max_detections), image, turn)


def _labelled(annotations: Annotations) -> Mask:
    seen = (annotations.visibility > 0).any(axis=1) & (annotations.labelled() > 0)
    return np.asarray(seen & ~annotations.crowd)


def _images(annotations: Annotations, image_ids: Ints) -> Ints:
    rows = rows_of(annotations.image_ids, image_ids)
    if (rows < 0).any():
        raise InputError(
            f"expected image ids of {annotations.source}, got {int((rows < 0).sum())} others such "
            f"as {image_ids[np.argmin(rows)]}; give the annotations these predictions belong to"
        )
    return rows


class Matched(NamedTuple):
    """All pairs (Q,) of considered poses with the scored people of their images, and what
    :class:`poselab.evaluation.diagnosis.diagnosis.Diagnosis` says of people and poses."""

    pairs: Pairs
    pose: Ints
    oks: Floats
    background: Ints
    doubles: Ints
    optimal: Floats
    misranked: Mask


def match(
    predictions: Predictions,
    annotations: Annotations,
    who: Parties,
    sigmas: Sequence[float],
) -> Matched:
    """Match poses and people once, best score first."""
    instances, poses = np.flatnonzero(who.scored), np.flatnonzero(who.chosen)
    both = together(poses, who.image[poses], instances, annotations)
    everybody = with_oks(both, predictions, annotations, sigmas)
    optimal, misranked = _ranking(everybody.take(everybody.oks >= LEAST_OKS), who)
    pairs = everybody.take(who.considered[everybody.pose])
    alike = pairs.take(pairs.oks >= LEAST_OKS)
    pose = in_turn(alike, who.turn[alike.pose], annotations.instances)
    similar = np.where(who.scored, 0.0, np.nan)
    found = alike.take(pose[alike.person] == alike.pose)
    similar[found.person] = found.oks
    doubles = np.setdiff1d(alike.pose, pose)
    alone = np.setdiff1d(np.flatnonzero(who.considered), alike.pose)
    excused = _in_regions(alone, predictions, annotations, who, sigmas)
    return Matched(pairs, pose, similar, alone[~excused], doubles, optimal, misranked)


def _in_regions(
    poses: Ints,
    predictions: Predictions,
    annotations: Annotations,
    who: Parties,
    sigmas: Sequence[float],
) -> Mask:
    """Which poses (n,) are like a crowd or an unlabelled person, so that COCO excuses them."""
    regions = np.flatnonzero(~_labelled(annotations))
    pose, region = together(poses, who.image[poses], regions, annotations)
    seen = (annotations.visibility[region] > 0).any(axis=1)
    similar = with_oks((pose, region), predictions, annotations, sigmas).oks
    similar = np.where(
        seen, similar, _oks_of_regions(predictions.keypoints[pose], annotations, region, sigmas)
    )
    return np.isin(poses, pose[similar >= LEAST_OKS])


def _oks_of_regions(
    keypoints: Floats, annotations: Annotations, instances: Ints, sigmas: Sequence[float]
) -> Floats:
    """OKS (Q,) of poses (Q, K, 2) with people who have no labelled joints: each joint's distance is
    that to the person's box made three times as wide and high (pycocotools, ``computeOks``)."""
    boxes = annotations.boxes[instances][:, None]
    low, high = boxes[..., :2] - boxes[..., 2:], boxes[..., :2] + 2 * boxes[..., 2:]
    away = np.maximum(low - keypoints, 0) + np.maximum(keypoints - high, 0)
    spread = 2 * (2 * np.array(sigmas)) ** 2
    areas = annotations.areas[instances][:, None] + np.spacing(1)
    return np.asarray(np.exp(-np.square(away).sum(axis=-1) / (spread * areas)).mean(axis=-1))


def _ranking(alike: Pairs, who: Parties) -> tuple[Floats, Mask]:
    """The scores (N,) that poses should have had, and the people (M,) with a score error."""
    optimal = np.where(who.chosen, -1.0, -2.0)
    np.maximum.at(optimal, alike.pose, alike.oks - 1)
    best = alike.take(most_alike(alike))
    optimal[best.pose] = best.oks
    turn_of_best = np.full(len(who.scored), -1)
    turn_of_best[best.person] = who.turn[best.pose]
    free = ~np.isin(alike.pose, best.pose[best.oks >= NEAR]) & (alike.oks >= NEAR)
    ahead = free & (who.turn[alike.pose] < turn_of_best[alike.person])
    misranked = np.zeros(len(who.scored), dtype=bool)
    misranked[alike.person[ahead]] = True
    return optimal, misranked
