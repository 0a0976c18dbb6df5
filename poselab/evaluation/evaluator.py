"""What an evaluator provides: metric values of predictions, and how they depend on the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from poselab.evaluation.accumulator import metrics_of

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.evaluation.accumulator import Accumulator
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics


class Evaluator(Protocol):
    """Scores predictions against annotations, all images or only those of ``image_ids``."""

    @property
    def primary_metric(self) -> str:
        """The name of the metric that ranks methods, the first of all."""

    @property
    def ranks_by_oks(self) -> bool:
        """Whether scores of poses, OKS sigmas and areas of people matter to the values."""
        return False

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Accumulator:
        """Match predictions to the ground truth, once for values and intervals alike.

        Raises:
            InputError: annotations or predictions that cannot be scored in this way.
        """

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """The values and what they depend on; NaN where there is nothing to measure.

        Raises:
            InputError: as when accumulating.
        """
        return metrics_of(self.accumulate(predictions, annotations, image_ids))
