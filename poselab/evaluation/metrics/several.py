"""Several metrics of the same predictions in one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poselab.evaluation.accumulator import JointAccumulator
from poselab.evaluation.evaluator import Evaluator
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.predictions import Predictions


@dataclass(frozen=True)
class SeveralMetrics(Evaluator):
    """The metrics of all ``evaluators``, ranked by the primary metric of the first."""

    evaluators: Sequence[Evaluator]

    def __post_init__(self) -> None:
        if not self.evaluators:
            raise InputError("expected one evaluator or more, got none")

    @property
    def primary_metric(self) -> str:
        """The first evaluator's."""
        return self.evaluators[0].primary_metric

    @property
    def ranks_by_oks(self) -> bool:
        """Whether any of the evaluators does."""
        return any(evaluator.ranks_by_oks for evaluator in self.evaluators)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> JointAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`.

        Raises:
            InputError: what any of the evaluators cannot score, or two give the same metric.
        """
        return JointAccumulator(
            [one.accumulate(predictions, annotations, image_ids) for one in self.evaluators]
        )
