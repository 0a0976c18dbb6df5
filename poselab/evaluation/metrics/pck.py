"""PCK: the fraction of joints found within a part of the torso or of the box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from poselab.evaluation.evaluator import Evaluator
from poselab.evaluation.matching.instances import check_match_rule
from poselab.evaluation.metrics.joint_rates import accumulate_rates
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.metrics.joint_rates import Credit, RateAccumulator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats

TORSO = ("left_shoulder", "right_hip")
TORSOS = {"parse14": ("right_shoulder", "left_hip")}
"""Skeletons whose torso runs along the other diagonal: the toolkit takes joints 10 and 3 of
fourteen, and PARSE numbers the left side first."""

AREAS = ("integral", "mean")


@dataclass(frozen=True)
class PckEvaluator(Evaluator):
    """PCK at ``threshold``, and AUC over thresholds from 0 to there in steps of 0.01.

    ``reference`` is "torso" (left shoulder to right hip, Sapp and Taskar 2013, as the MPII toolkit
    measures LSP and FLIC; right shoulder to left hip on PARSE) or "box" (the longer side).
    Distances up to and including the threshold count. ``area`` is "integral", the trapezoids of the
    MPII toolkit under the curve, or "mean", that over the thresholds. Values pool all labelled
    joints, as the toolkit does; "/groups" is the mean over joint groups. ``match`` as for PCKh. Of
    annotations that say who is held out for testing, those are scored unless asked otherwise.
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
        check_match_rule(self.match)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> RateAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; leaves out people without reference.

        Raises:
            InputError: no person has a reference, or predictions that cannot be matched.
        """
        sizes = torso_sizes(annotations) if self.reference == "torso" else box_sizes(annotations)
        if not (sizes > 0).any():
            raise InputError(
                f"expected people with a {self.reference} in {annotations.source}, got none; "
                "measure by the other reference"
            )
        credit_of: dict[str, Credit] = {
            f"PCK@{self.threshold:g}": partial(np.greater_equal, self.threshold),
            "AUC": self._area_under_curve,
        }
        torso = " to ".join(torso_of(annotations))
        reference = torso if self.reference == "torso" else "longer side of the box"
        rule = {
            "metric": "pck",
            "rule": f"distance <= {self.threshold:g} · {reference}",
            "auc": self.area,
        }
        return accumulate_rates(
            predictions, annotations, image_ids, self.match, sizes, credit_of, rule
        )

    def _area_under_curve(self, distances: Floats) -> Floats:
        """How much of the area under the curve a joint adds at each distance, in sizes."""
        steps = 0.01 * np.arange(round(self.threshold / 0.01) + 1)
        shares = np.ones(len(steps))
        if self.area == "integral":  # trapezoids give both ends half the weight
            shares[[0, -1]] = 0.5
        shares /= shares.sum()
        return np.asarray((distances[..., None] <= steps) @ shares)


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
