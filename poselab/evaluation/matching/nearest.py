"""Which pose is like which person: one pose a person, or whoever a pose is most like."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.matching.assignment import MATCHES
from poselab.evaluation.matching.one_per_instance import asked_for
from poselab.evaluation.matching.similarity import oks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Ints


class Pairs(NamedTuple):
    """Person rows (P,) to be scored, the pose row (P,) that answers for each, -1 for none, and the
    ids of all images to be scored."""

    instances: Ints
    poses: Ints
    image_ids: Ints


def pairs(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds,
    match: str,
) -> Pairs:
    """People with labelled keypoints of the chosen images, else of those held out, else of all.

    ``match`` is one of :data:`poselab.evaluation.matching.assignment.MATCHES`.

    Raises:
        InputError: what the rule of matching refuses.
    """
    chosen, instances = asked_for(annotations, image_ids, annotations.image_of())
    wanted = instances & (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    rows = np.flatnonzero(wanted)
    return Pairs(rows, MATCHES[match](predictions, annotations)[rows], chosen)


def most_similar(
    predictions: Predictions, annotations: Annotations, sigmas: Sequence[float] | None = None
) -> Ints:
    """The person row (N,) of greatest OKS in each pose's image, -1 where every OKS is 0.

    Crowds and people without labelled keypoints resemble nothing; of equals the first is taken.
    """
    image = rows_of(annotations.image_ids, predictions.image_ids)
    findable = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    model = np.full(len(predictions), -1)
    order = np.argsort(image, kind="stable")
    images, begins = np.unique(image[order], return_index=True)
    for row, poses in zip(images.tolist(), np.split(order, begins[1:]), strict=False):
        instances = np.array(annotations.rows(row) if row >= 0 else (), dtype=np.int64)
        instances = instances[findable[instances]]
        if len(instances):
            similar = oks(predictions.keypoints[poses][:, None], annotations, instances, sigmas)
            model[poses] = np.where(similar.max(axis=1) > 0, instances[similar.argmax(axis=1)], -1)
    return model
