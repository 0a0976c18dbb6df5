"""PCKh: the fraction of joints found within a part of the head's size (Andriluka et al. 2014)."""

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
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.matching.one_per_instance import Rule
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats

HEAD_FACTOR = 0.6
CURVE = 0.01 * np.arange(51)
"""Thresholds between which the area under the curve is taken."""

_HEADS_OF = {"mpii_json": "put gt_valid.mat beside valid.json"}
"""How to come by head boxes where a layout keeps them elsewhere."""


@dataclass(frozen=True)
class PckhEvaluator:
    """PCKh at each of ``thresholds``, of heads measured 0.6 times the diagonal of their box.

    Distances up to and including the threshold count; a labelled person nobody predicted counts as
    wrong. 0.11 is what SimpleBaseline, HRNet, DARK and UDP print as "Mean@0.1", because they read
    entry 11 of arange(0, 0.51, 0.01). ``match`` is how poses find their people: "annotation_id", or
    "best_oks" for predictions that name no people.

    "PCKh-AUC" is the area under the curve of thresholds 0 to 0.5 by trapezoids of 0.01, divided by
    0.5: the AUC of the MPII toolkit, named so because PCK has an "AUC" of its own.
    """

    primary_metric: ClassVar[str] = "PCKh@0.5"
    thresholds: Sequence[float] = (0.5, 0.1, 0.11)
    match: str = "annotation_id"

    def __post_init__(self) -> None:
        check_match(self.match)

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; who has no head box is passed over.

        Raises:
            InputError: nobody has a head box, or the rule of matching refuses the poses.
        """
        found = self._found(predictions, annotations, image_ids)
        comparability = annotation_comparability(
            annotations, found.images, len(found.rows), found.image_ids
        )
        rule = {
            "metric": "pckh",
            "rule": f"distance <= threshold · {HEAD_FACTOR} · diagonal of the head box",
            "unscored": ["pelvis", "thorax"],
            "instances_without_prediction": found.unanswered,
        }
        values = measured(self._tally(found, annotations))
        return Metrics(values, comparability | rule | match_contract(self.match, annotations))

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> RateAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        return self._tally(self._found(predictions, annotations, image_ids), annotations)

    def _tally(self, found: Answers, annotations: Annotations) -> RateAccumulator:
        rules: dict[str, Rule] = {
            f"PCKh@{t:g}": partial(np.greater_equal, t) for t in self.thresholds
        }
        rules["PCKh-AUC"] = _share_of_curve
        return found.accumulate(head_sizes(annotations)[found.rows], rules, annotations.skeleton)

    def _found(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds
    ) -> Answers:
        heads = head_sizes(annotations)
        if not (heads > 0).any():
            raise InputError(
                f"expected head boxes in {annotations.source}, got none; PCKh measures with them: "
                f"{_HEADS_OF.get(annotations.layout, 'give annotations that have them')}, or score "
                "otherwise (--metric oks; in training evaluator=oks)"
            )
        return answers(predictions, annotations, heads > 0, image_ids, self.match)


def _share_of_curve(distances: Floats) -> Floats:
    """How much of the area under the curve a joint adds at each distance, in heads."""
    shares = np.full(len(CURVE), 1 / (len(CURVE) - 1))
    shares[[0, -1]] /= 2
    reached = np.searchsorted(CURVE, distances, side="left")  # the first threshold not below it
    return np.asarray(np.append(np.cumsum(shares[::-1])[::-1], 0.0)[reached])


def head_sizes(annotations: Annotations) -> Floats:
    """Head size (M,) in pixels, 0 where a person has no head box."""
    sizes: Floats = HEAD_FACTOR * np.hypot(
        annotations.head_boxes[:, 2], annotations.head_boxes[:, 3]
    )
    return sizes
