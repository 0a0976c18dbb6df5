"""Several metrics of the same predictions in one record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poselab.evaluation.accumulator import JointAccumulator
from poselab.evaluation.record import Metrics
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import Evaluator, ImageIds
    from poselab.evaluation.predictions import Predictions


@dataclass(frozen=True)
class SeveralMetrics:
    """The figures of all ``evaluators``, ranked by the first one's headline.

    The contract is the first one's; every other's whole contract lies in it under the name of its
    metric, so that ``contract["pckh"]`` says what the PCKh figures depend on.
    """

    evaluators: Sequence[Evaluator]

    def __post_init__(self) -> None:
        if not self.evaluators:
            raise InputError("expected one evaluator or more to combine, got none")

    @property
    def primary_metric(self) -> str:
        """The first evaluator's."""
        return self.evaluators[0].primary_metric

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`.

        Raises:
            InputError: what any of the evaluators refuses, or two give the same figure.
        """
        first, *others = (score(predictions, annotations, image_ids) for score in self.evaluators)
        comparability_records = {
            other.comparability["metric"]: other.comparability for other in others
        }
        _refuse_repeated([key for record in (first, *others) for key in record.values])
        _refuse_repeated([record.comparability["metric"] for record in (first, *others)])
        values = dict(first.values)
        for other in others:
            values |= other.values
        return Metrics(values, first.comparability | comparability_records)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> JointAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        parts = [one.accumulate(predictions, annotations, image_ids) for one in self.evaluators]
        return JointAccumulator(parts)


def _refuse_repeated(names: list[str]) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(
            f"expected evaluators of different figures, got {name} {count} times; leave one out"
        )
