"""What an evaluator owes: figures of predictions, and how they depend on the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.accumulator import Tally
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics
    from poselab.structures import Ints

    ImageIds = Sequence[int] | Ints | None
    """Ids of the images to look at; None: all of them."""


class Evaluator(Protocol):
    """Scores predictions against labels, all images or only those of ``image_ids``."""

    @property
    def primary_metric(self) -> str:
        """The key of the figure that ranks methods, the first of all."""

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """The figures and what they depend on; NaN where there is nothing to measure.

        Raises:
            InputError: labels or predictions that cannot be scored in this way.
        """

    def tally(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Tally:
        """The same figures as a function of how often each image counts; errors as above."""
