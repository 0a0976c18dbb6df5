"""COCO's metrics of the parts that COCO-WholeBody labels, each scored as if it were alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from poselab.evaluation.accumulator import JointAccumulator
from poselab.evaluation.evaluator import Evaluator
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.skeletons import WHOLEBODY133
from poselab.structures import InputError, Skeleton

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.metrics.average_precision import OksAccumulator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

PARTS = {"body": 17, "foot": 6, "face": 68, "lefthand": 21, "righthand": 21}
"""How many keypoints each part has, in the order of the skeleton."""

METRICS = ("AP", "AR")


@dataclass(frozen=True)
class PartsEvaluator(Evaluator):
    """AP and AR of body, feet, face and either hand, as COCO-WholeBody's evaluation defines them.

    People without a labelled keypoint of the part are ignored, and poses without a confident one
    left out. All parts are ranked by the score of the whole person, which is what that evaluation
    falls back to where results bring no scores of parts. Source: Jin et al. 2020.
    """

    primary_metric: ClassVar[str] = "AP/body"
    ranks_by_oks: ClassVar[bool] = True
    oks: OksEvaluator = field(default_factory=OksEvaluator)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> PartsAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; NaN where a part is never labelled.

        Raises:
            InputError: annotations of another skeleton.
        """
        parts = _parts(predictions, annotations)
        record = self.oks.comparability(predictions, annotations, image_ids)
        return PartsAccumulator(
            {name: self.oks.accumulate(*part, image_ids) for name, part in parts.items()},
            record | {"metric": "oks of parts"},
        )


@dataclass(frozen=True)
class WholeBodyEvaluator(Evaluator):
    """COCO's metrics of whole bodies, ranked by these, and those of their parts."""

    primary_metric: ClassVar[str] = "AP"
    ranks_by_oks: ClassVar[bool] = True
    oks: OksEvaluator = field(default_factory=OksEvaluator)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> JointAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; errors as for parts."""
        both = (self.oks, PartsEvaluator(self.oks))
        return JointAccumulator([e.accumulate(predictions, annotations, image_ids) for e in both])


@dataclass(frozen=True)
class PartsAccumulator:
    """AP and AR of every part as a function of how often each image counts."""

    parts: Mapping[str, OksAccumulator]
    comparability: Mapping[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the metrics, part by part."""
        return tuple(f"{key}/{name}" for name in self.parts for key in METRICS)

    @property
    def image_ids(self) -> Ints:
        """(N,) the images in the order of the weights."""
        return next(iter(self.parts.values())).image_ids

    def values(self, weights: Ints) -> Floats:
        """The values (R, F) of R sets in which image n counts weights[r, n] times."""
        return np.concatenate(
            [
                part.values(weights)[:, [part.keys.index(key) for key in METRICS]]
                for part in self.parts.values()
            ],
            axis=1,
        )


def _parts(
    predictions: Predictions, annotations: Annotations
) -> dict[str, tuple[Predictions, Annotations]]:
    """Poses and annotations of each part alone."""
    whole = annotations.skeleton
    if whole.name != WHOLEBODY133.name:
        raise InputError(
            f"expected annotations of {WHOLEBODY133.name}, got {whole.name}; score by --metric oks"
        )
    ends = np.cumsum(list(PARTS.values())).tolist()
    columns = [slice(end - count, end) for end, count in zip(ends, PARTS.values(), strict=True)]
    return {
        name: (_part_of_poses(predictions, part), _part_of_people(annotations, name, part))
        for name, part in zip(PARTS, columns, strict=True)
    }


def _part_of_poses(predictions: Predictions, part: slice) -> Predictions:
    confident = np.asarray((predictions.keypoint_scores[:, part] > 0).any(axis=1))
    kept = predictions.take(np.flatnonzero(confident))
    return replace(
        kept, keypoints=kept.keypoints[:, part], keypoint_scores=kept.keypoint_scores[:, part]
    )


def _part_of_people(annotations: Annotations, name: str, part: slice) -> Annotations:
    whole = annotations.skeleton
    return replace(
        annotations,
        skeleton=Skeleton(name, whole.keypoints[part], (), whole.oks_sigmas[part]),
        keypoints=annotations.keypoints[:, part],
        visibility=annotations.visibility[:, part],
        recorded_keypoints=None,
        cache_file="",
    )
