"""The person that a pose is most like, whether or not another pose is more like that person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.similarity import oks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Ints


def most_similar(
    predictions: Predictions, annotations: Annotations, sigmas: Sequence[float] | None = None
) -> Ints:
    """The person row (N,) of greatest OKS in each pose's picture, -1 where every OKS is 0.

    Crowds and people without labelled keypoints resemble nothing; of equals the first is taken.
    """
    picture = rows_of(annotations.image_ids, predictions.image_ids)
    findable = (annotations.visible > 0).any(axis=1) & ~annotations.crowd
    model = np.full(len(predictions), -1)
    order = np.argsort(picture, kind="stable")
    pictures, begins = np.unique(picture[order], return_index=True)
    for row, poses in zip(pictures.tolist(), np.split(order, begins[1:]), strict=False):
        people = np.array(annotations.rows(row) if row >= 0 else (), dtype=np.int64)
        people = people[findable[people]]
        if len(people):
            similar = oks(predictions.keypoints[poses][:, None], annotations, people, sigmas)
            model[poses] = np.where(similar.max(axis=1) > 0, people[similar.argmax(axis=1)], -1)
    return model
