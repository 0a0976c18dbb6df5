"""PCK: the fraction of joints found within a part of the torso or of the box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from poselab.evaluation.accumulator import RateAccumulator, measured
from poselab.evaluation.matching.assignment import check_match, match_contract
from poselab.evaluation.matching.one_per_instance import Answers, answers
from poselab.evaluation.record import Metrics, annotation_comparability
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.matching.one_per_instance import Rule
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats

TORSO = ("left_shoulder", "right_hip")
TORSOS = {"parse14": ("right_shoulder", "left_hip")}
"""Skeletons whose torso runs along the other diagonal: the toolkit takes joints 10 and 3 of
fourteen, and PARSE numbers the left side first."""

AREAS = ("integral", "mean")


@dataclass(frozen=True)
class PckEvaluator:
    """PCK at ``threshold``, and AUC over thresholds from 0 to there in steps of 0.01.

    ``reference`` is "torso" (left shoulder to right hip, Sapp and Taskar 2013, as the MPII toolkit
    measures LSP and FLIC; right shoulder to left hip on PARSE) or "box" (the longer side).
    Distances up to and including the threshold count. ``area`` is "integral", the trapezoids of the
    MPII toolkit under the curve, or "mean", that over the thresholds. Figures pool all labelled
    joints, as the toolkit does; "/groups" is the mean over joint groups. ``match`` as for PCKh.
    """

    primary_metric: ClassVar[str] = "PCK@0.2"
    threshold: float = 0.2
    reference: str = "torso"
    match: str = "annotation_id"
    area: str = "integral"

    def __post_init__(self) -> None:
        if self.area not in AREAS:
            raise InputError(f"expected area {' or '.join(AREAS)}, got {self.area!r}")
        if self.reference not in ("torso", "box"):
            raise InputError(f"expected reference torso or box, got {self.reference!r}")
        check_match(self.match)

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; who has no reference is passed over.

        Of labels that say who is held out for testing, those are scored unless asked otherwise.

        Raises:
            InputError: nobody can be measured, or the rule of matching refuses the poses.
        """
        found, sizes = self._found(predictions, annotations, image_ids)
        comparability = annotation_comparability(
            annotations, found.images, len(found.rows), found.image_ids
        )
        rule = {
            "metric": "pck",
            "rule": f"distance <= {self.threshold:g} · {self._reference_of(annotations)}",
            "auc": self.area,
            "instances_without_prediction": found.unanswered,
        }
        values = measured(self._tally(found, sizes, annotations))
        return Metrics(values, comparability | rule | match_contract(self.match, annotations))

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> RateAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        found, sizes = self._found(predictions, annotations, image_ids)
        return self._tally(found, sizes, annotations)

    def _tally(self, found: Answers, sizes: Floats, annotations: Annotations) -> RateAccumulator:
        steps = 0.01 * np.arange(round(self.threshold / 0.01) + 1)
        shares = np.ones(len(steps))
        if self.area == "integral":
            shares[[0, -1]] = 0.5
        shares /= shares.sum()
        rules: dict[str, Rule] = {
            f"PCK@{self.threshold:g}": partial(np.greater_equal, self.threshold),
            "AUC": lambda distances: (distances[..., None] <= steps) @ shares,
        }
        return found.accumulate(sizes[found.rows], rules, annotations.skeleton)

    def _reference_of(self, annotations: Annotations) -> str:
        if self.reference == "box":
            return "longer side of the box"
        return " to ".join(torso_of(annotations))

    def _found(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds
    ) -> tuple[Answers, Floats]:
        """The answers, and the size (M,) of every person."""
        sizes = torso_sizes(annotations) if self.reference == "torso" else box_sizes(annotations)
        if not (sizes > 0).any():
            raise InputError(
                f"expected people with a {self.reference} in {annotations.source}, got none; "
                "measure by the other reference"
            )
        return answers(predictions, annotations, sizes > 0, image_ids, self.match), sizes


def torso_of(annotations: Annotations) -> tuple[str, str]:
    """The shoulder and the hip between which a torso is measured."""
    return TORSOS.get(annotations.skeleton.name, TORSO)


def torso_sizes(annotations: Annotations) -> Floats:
    """Length (M,) in pixels of the torso's diagonal, 0 where either end is not labelled.

    Raises:
        InputError: the skeleton lacks one of the two.
    """
    ends = torso_of(annotations)
    missing = [name for name in ends if name not in annotations.skeleton.keypoints]
    if missing:
        raise InputError(
            f"expected {' and '.join(ends)} in skeleton {annotations.skeleton.name}, got no "
            f"{missing[0]}; measure by the box"
        )
    shoulder, hip = (annotations.skeleton.index(name) for name in ends)
    length = np.linalg.norm(
        annotations.keypoints[:, shoulder] - annotations.keypoints[:, hip], axis=1
    )
    known = (annotations.visibility[:, shoulder] > 0) & (annotations.visibility[:, hip] > 0)
    sizes: Floats = np.where(known, length, 0.0)
    return sizes


def box_sizes(annotations: Annotations) -> Floats:
    """The longer side (M,) of every person's box in pixels."""
    sizes: Floats = annotations.boxes[:, 2:].max(axis=1, initial=0.0)
    return sizes
