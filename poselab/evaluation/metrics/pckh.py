"""PCKh: the fraction of joints found within a part of the head's size (Andriluka et al. 2014)."""

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
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.metrics.joint_rates import Credit, RateAccumulator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats

HEAD_FACTOR = 0.6
CURVE = 0.01 * np.arange(51)
"""Thresholds between which the area under the curve is taken."""

_HEADS_OF = {"mpii_json": "put gt_valid.mat beside valid.json"}
"""How to get head boxes where a layout keeps them elsewhere."""


@dataclass(frozen=True)
class PckhEvaluator(Evaluator):
    """PCKh at each of ``thresholds``, a head's size being 0.6 times the diagonal of its box.

    Distances up to and including the threshold count as right. 0.11 is what SimpleBaseline, HRNet,
    DARK and UDP print as "Mean@0.1", because they read entry 11 of arange(0, 0.51, 0.01). ``match``
    is how predictions are matched to people: by the "annotation_id" that they name, or by
    "best_oks".

    "PCKh-AUC" is the area under the curve of thresholds 0 to 0.5 by trapezoids of 0.01, divided by
    0.5: the AUC of the MPII toolkit, named so because PCK has an "AUC" of its own.
    """

    primary_metric: ClassVar[str] = "PCKh@0.5"
    thresholds: Sequence[float] = (0.5, 0.1, 0.11)
    match: str = "annotation_id"

    def __post_init__(self) -> None:
        check_match_rule(self.match)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> RateAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; leaves out people without head box.

        Raises:
            InputError: no person has a head box, or predictions that cannot be matched.
        """
        heads = head_sizes(annotations)
        if not (heads > 0).any():
            raise InputError(
                f"expected head boxes in {annotations.source}, got none; PCKh measures with them: "
                f"{_HEADS_OF.get(annotations.layout, 'give annotations that have them')}, or score "
                "otherwise (--metric oks; in training evaluator=oks)"
            )
        credit_of: dict[str, Credit] = {
            f"PCKh@{t:g}": partial(np.greater_equal, t) for t in self.thresholds
        }
        credit_of["PCKh-AUC"] = _share_of_curve
        rule = {
            "metric": "pckh",
            "rule": f"distance <= threshold · {HEAD_FACTOR} · diagonal of the head box",
            "unscored": ["pelvis", "thorax"],
        }
        return accumulate_rates(
            predictions, annotations, image_ids, self.match, heads, credit_of, rule
        )


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
