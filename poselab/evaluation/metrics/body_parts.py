"""COCO's figures of the parts that COCO-WholeBody labels, each scored as if there were no other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.record import Metrics
from poselab.skeletons import WHOLEBODY133
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.metrics.average_precision import OksAccumulator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

PARTS = {"body": 17, "foot": 6, "face": 68, "lefthand": 21, "righthand": 21}
"""How many keypoints each part has, in the order of the skeleton."""

FIGURES = ("AP", "AR")


@dataclass(frozen=True)
class PartsEvaluator:
    """AP and AR of body, feet, face and either hand, as COCO-WholeBody's evaluation defines them.

    People without a labelled keypoint of the part are ignored, and poses without a confident one
    left out. All parts are ranked by the score of the whole person, which is what that evaluation
    falls back to where results bring no scores of parts. Source: Jin et al. 2020.
    """

    primary_metric: ClassVar[str] = "AP/body"
    oks: OksEvaluator = field(default_factory=OksEvaluator)

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; NaN where a part is never labelled.

        Raises:
            InputError: labels of another skeleton.
        """
        values: dict[str, float] = {}
        for name, (found, table) in _parts(predictions, annotations).items():
            figures = self.oks(found, table, image_ids).values
            values |= {f"{key}/{name}": figures[key] for key in FIGURES}
        comparability = self.oks(predictions, annotations, image_ids).comparability
        return Metrics(values, comparability | {"metric": "oks of parts"})

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> PartsAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        parts = _parts(predictions, annotations)
        return PartsAccumulator(
            {name: self.oks.accumulate(*part, image_ids) for name, part in parts.items()}
        )


@dataclass(frozen=True)
class PartsAccumulator:
    """The figures of every part as a function of how often each image counts."""

    parts: dict[str, OksAccumulator]

    @property
    def keys(self) -> tuple[str, ...]:
        """The figures' names, part by part."""
        return tuple(f"{key}/{name}" for name in self.parts for key in FIGURES)

    @property
    def image_ids(self) -> Ints:
        """(N,) the images in the order of the weights."""
        return next(iter(self.parts.values())).image_ids

    def figures(self, weights: Ints) -> Floats:
        """The figures (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.concatenate([_two(tally, weights) for tally in self.parts.values()], axis=1)


def _two(tally: OksAccumulator, weights: Ints) -> Floats:
    return tally.figures(weights)[:, [tally.keys.index(key) for key in FIGURES]]


def _parts(
    predictions: Predictions, annotations: Annotations
) -> dict[str, tuple[Predictions, Annotations]]:
    """Poses and labels of each part alone."""
    whole = annotations.skeleton
    if whole.name != WHOLEBODY133.name:
        raise InputError(
            f"expected labels of {WHOLEBODY133.name}, got {whole.name}; score by --metric oks"
        )
    ends = np.cumsum(list(PARTS.values())).tolist()
    columns = [slice(end - count, end) for end, count in zip(ends, PARTS.values(), strict=True)]
    return {
        name: (_poses(predictions, part), _labels(annotations, name, part))
        for name, part in zip(PARTS, columns, strict=True)
    }


def _poses(predictions: Predictions, part: slice) -> Predictions:
    confident = np.asarray((predictions.keypoint_scores[:, part] > 0).any(axis=1))
    found = predictions.take(np.flatnonzero(confident))
    return replace(
        found,
        keypoints=found.keypoints[:, part],
        keypoint_scores=found.keypoint_scores[:, part],
    )


def _labels(annotations: Annotations, name: str, part: slice) -> Annotations:
    whole = annotations.skeleton
    return replace(
        annotations,
        skeleton=Skeleton(name, whole.keypoints[part], (), whole.oks_sigmas[part]),
        keypoints=annotations.keypoints[:, part],
        visibility=annotations.visibility[:, part],
        recorded_keypoints=None,
        stored="",
    )
