"""One pose for every labelled person, found by annotation id, for metrics that need no ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Answers(NamedTuple):
    """People rows (P,) with their joints' distances (P, K) in pixels, infinite where unanswered.

    labelled (P, K) bool; unanswered: how many of the people have no pose.
    """

    rows: Ints
    distances: Floats
    labelled: Mask
    unanswered: int


def answers(
    predictions: Predictions,
    annotations: Annotations,
    measurable: Mask,
    image_ids: Sequence[int] | Ints | None,
) -> Answers:
    """Distances of the labelled, ``measurable`` (M,) people of the chosen pictures.

    Raises:
        InputError: a pose without a known annotation id, or a person answered twice.
    """
    labelled = annotations.visible > 0
    wanted = measurable & labelled.any(axis=1) & ~annotations.crowd
    if image_ids is not None:
        pictures = np.isin(annotations.image_ids, np.asarray(image_ids))
        wanted &= pictures[annotations.picture_of()]
    pose_of = _pose_of(predictions, annotations)
    rows = np.flatnonzero(wanted)
    answered = pose_of[rows] >= 0
    distances = np.full((len(rows), len(annotations.skeleton)), np.inf)
    offsets = predictions.keypoints[pose_of[rows][answered]] - annotations.keypoints[rows][answered]
    distances[answered] = np.linalg.norm(offsets, axis=2)
    return Answers(rows, distances, labelled[rows], int((~answered).sum()))


def _pose_of(predictions: Predictions, annotations: Annotations) -> Ints:
    """The prediction row of every labelled person (M,), -1 for none."""
    ids, order = np.unique(annotations.annotation_ids, return_index=True)
    place = np.minimum(np.searchsorted(ids, predictions.annotation_ids), max(len(ids) - 1, 0))
    known = ids[place] == predictions.annotation_ids if len(ids) else np.zeros(len(place), bool)
    if not known.all():
        first = predictions.annotation_ids[np.argmin(known)]
        raise InputError(
            f"expected the annotation_id of a labelled person in every prediction, got "
            f"{'none' if first < 0 else first} in {int((~known).sum())}; PCK compares person by "
            "person, so predict from ground-truth boxes, or use --metric oks"
        )
    _refuse_repeated(predictions.annotation_ids)
    pose_of = np.full(annotations.people, -1)
    pose_of[order[place]] = np.arange(len(predictions))
    return pose_of


def _refuse_repeated(annotation_ids: Ints) -> None:
    values, counts = np.unique(annotation_ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"expected one prediction a person, got {counts.max()} of annotation_id "
            f"{values[counts.argmax()]}; keep the best"
        )
