"""Rates of right joints: PCK and PCKh, which measure distances by different sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.matching.instances import match_comparability, match_instances
from poselab.evaluation.metrics.joint_groups import rates
from poselab.evaluation.record import annotation_comparability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.instances import InstanceMatches
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask, Skeleton

    Credit = Callable[[Floats], Floats | Mask]
    """How right a joint is, 0 to 1, at a distance in units of its person's size."""


@dataclass(frozen=True)
class RateAccumulator:
    """Fractions of labelled joints that are right, as PCK and PCKh count.

    labelled (N, K) and, by the name of each metric, right (N, K): how many joints of each kind an
    image has and how many of them are right; an AUC counts each joint by the share of its
    thresholds at which it is right.
    """

    image_ids: Ints
    labelled: Floats
    right: Mapping[str, Floats]
    skeleton: Skeleton
    comparability: Mapping[str, Any]

    @property
    def keys(self) -> Sequence[str]:
        """Every name with every suffix of :func:`poselab.evaluation.metrics.joint_groups.rates`."""
        return tuple(self._rates(np.zeros((1, len(self.image_ids)))))

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.stack(list(self._rates(weights).values()), axis=-1)

    def _rates(self, weights: Ints | Floats) -> dict[str, Floats]:
        labelled = weights @ self.labelled
        return {
            name + suffix: value
            for name, right in self.right.items()
            for suffix, value in rates(weights @ right, labelled, self.skeleton).items()
        }


def accumulate_rates(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds,
    match: str,
    sizes: Floats,
    credit_of: Mapping[str, Credit],
    rule: Mapping[str, Any],
) -> RateAccumulator:
    """Match poses to the people with ``sizes`` (M,) above 0, and credit their joints.

    ``credit_of`` is by the name of the metric; ``rule`` says in the comparability record what is
    right. A labelled person without a pose counts as wrong.

    Raises:
        InputError: predictions that cannot be matched, or an image that is not annotated.
    """
    matches = match_instances(predictions, annotations, image_ids, match, sizes > 0)
    relative = _distances(matches, predictions, annotations) / sizes[matches.instances][:, None]
    labelled = annotations.visibility[matches.instances] > 0
    image = np.searchsorted(
        matches.image_ids, annotations.image_ids[annotations.image_of()[matches.instances]]
    )

    # Sums of each image are all that resampling images needs of a million joints.
    def of_images(joints: Floats | Mask) -> Floats:
        """Sums (N, K) over the people of each image."""
        sums = np.zeros((len(matches.image_ids), joints.shape[1]))
        np.add.at(sums, image, joints)
        return sums

    images = len(np.unique(image))
    return RateAccumulator(
        matches.image_ids,
        of_images(labelled),
        {name: of_images(credit(relative) * labelled) for name, credit in credit_of.items()},
        annotations.skeleton,
        annotation_comparability(annotations, images, len(matches.instances), matches.image_ids)
        | dict(rule)
        | {"instances_without_prediction": int((matches.poses < 0).sum())}
        | match_comparability(match, annotations),
    )


def _distances(
    matches: InstanceMatches, predictions: Predictions, annotations: Annotations
) -> Floats:
    """Distances (P, K) of the joints in pixels, infinite where no pose is matched."""
    distances = np.full((len(matches.instances), len(annotations.skeleton)), np.inf)
    instances, poses = matches.matched()
    if len(poses):  # an empty file has no axis of keypoints
        offsets = predictions.keypoints[poses] - annotations.keypoints[instances]
        distances[matches.poses >= 0] = np.linalg.norm(offsets, axis=2)
    return distances
