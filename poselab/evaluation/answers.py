"""One pose for every labelled person, for metrics that need no ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.assignment import MATCHES

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
    match: str,
) -> Answers:
    """Distances of the labelled, ``measurable`` (M,) people of the chosen pictures.

    ``match`` is one of :data:`poselab.evaluation.assignment.MATCHES`.

    Raises:
        InputError: what the rule of matching refuses.
    """
    labelled = annotations.visible > 0
    wanted = measurable & labelled.any(axis=1) & ~annotations.crowd
    if image_ids is not None:
        pictures = np.isin(annotations.image_ids, np.asarray(image_ids))
        wanted &= pictures[annotations.picture_of()]
    pose_of = MATCHES[match](predictions, annotations)
    rows = np.flatnonzero(wanted)
    answered = pose_of[rows] >= 0
    distances = np.full((len(rows), len(annotations.skeleton)), np.inf)
    if answered.any():  # predictions of nobody have no keypoints to compare
        found = predictions.keypoints[pose_of[rows][answered]]
        offsets = found - annotations.keypoints[rows][answered]
        distances[answered] = np.linalg.norm(offsets, axis=2)
    return Answers(rows, distances, labelled[rows], int((~answered).sum()))
