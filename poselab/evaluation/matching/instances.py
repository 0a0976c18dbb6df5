"""One pose for every labelled person, for metrics that need no ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import RateTally
from poselab.evaluation.matching.assignment import MATCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Skeleton

    Rule = Callable[[Floats], Floats | np.ndarray[Any, np.dtype[np.bool_]]]

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Answers(NamedTuple):
    """People rows (P,) with their joints' distances (P, K) in pixels, infinite where unanswered.

    labelled (P, K) bool; unanswered: how many of the people have no pose; image (P,) the place
    of their image among image_ids (N,), all that were to be scored, ascending.
    """

    rows: Ints
    distances: Floats
    labelled: Mask
    unanswered: int
    image: Ints
    image_ids: Ints

    def tally(self, sizes: Floats, right: Mapping[str, Rule], skeleton: Skeleton) -> RateTally:
        """The figures called as in ``right``, each a rule for how right a joint is (0 to 1) at a
        distance in units of its person's size; sizes (P,)."""
        relative = self.distances / sizes[:, None]
        sums = {name: self._summed(rule(relative) * self.labelled) for name, rule in right.items()}
        return RateTally(self.image_ids, self._summed(self.labelled), sums, skeleton)

    def _summed(self, joints: Floats | Mask) -> Floats:
        """Sums (N, K) over the people of each image."""
        sums = np.zeros((len(self.image_ids), joints.shape[1]))
        np.add.at(sums, self.image, joints)
        return sums

    @property
    def images(self) -> int:
        """How many images have people to answer for."""
        return len(np.unique(self.image))


def answers(
    predictions: Predictions,
    annotations: Annotations,
    measurable: Mask,
    image_ids: ImageIds,
    match: str,
) -> Answers:
    """Distances of the labelled, ``measurable`` (M,) people of the chosen images.

    Without ``image_ids`` they are the people held out for testing, where the labels say who is.
    ``match`` is one of :data:`poselab.evaluation.matching.assignment.MATCHES`.

    Raises:
        InputError: what the rule of matching refuses.
    """
    labelled = annotations.visibility > 0
    image_of = annotations.image_of()
    chosen, instances = asked_for(annotations, image_ids, image_of)
    wanted = measurable & labelled.any(axis=1) & ~annotations.crowd & instances
    pose_of = MATCHES[match](predictions, annotations)
    rows = np.flatnonzero(wanted)
    answered = pose_of[rows] >= 0
    distances = np.full((len(rows), len(annotations.skeleton)), np.inf)
    if answered.any():  # predictions of nobody have no keypoints to compare
        found = predictions.keypoints[pose_of[rows][answered]]
        offsets = found - annotations.keypoints[rows][answered]
        distances[answered] = np.linalg.norm(offsets, axis=2)
    chosen = np.sort(chosen)
    image = np.searchsorted(chosen, annotations.image_ids[image_of[rows]])
    return Answers(rows, distances, labelled[rows], int((~answered).sum()), image, chosen)


def asked_for(annotations: Annotations, image_ids: ImageIds, image_of: Ints) -> tuple[Ints, Mask]:
    """The ids of the images to score, and a mask (M,) of the people.

    They are the ``image_ids``, or else those held out for testing, or else all.
    """
    held_out = annotations.held_out
    if image_ids is not None:
        images = np.isin(annotations.image_ids, np.asarray(image_ids))
        return annotations.image_ids[images], np.asarray(images[image_of])
    if held_out is None or not held_out.any():
        return annotations.image_ids, np.ones(annotations.instances, dtype=bool)
    return annotations.image_ids[np.unique(image_of[held_out])], held_out
