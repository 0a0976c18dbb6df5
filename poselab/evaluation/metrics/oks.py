"""COCO's keypoint metric: average precision and recall over object keypoint similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from poselab.evaluation.evaluator import Evaluator
from poselab.evaluation.images import images_to_score
from poselab.evaluation.matching.coco import AREAS, ENGINES, match
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.hotcoco_streaming import streamed_values
from poselab.evaluation.record import Metrics, annotation_comparability
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.coco import Matching
    from poselab.evaluation.predictions import Predictions


@dataclass(frozen=True)
class OksEvaluator(Evaluator):
    """The ten COCO keypoint metrics, to the last digit those of pycocotools.

    ``engine`` is hotcoco or pycocotools; ``sigmas`` (K,) replace the skeleton's. Source: Lin et
    al. 2014 and cocodataset.org/#keypoints-eval.
    """

    primary_metric: ClassVar[str] = "AP"
    ranks_by_oks: ClassVar[bool] = True
    engine: str = "hotcoco"
    sigmas: Sequence[float] | None = None
    max_detections: int = 20

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise InputError(f"expected engine {' or '.join(ENGINES)}, got {self.engine!r}")

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> OksAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; NaN without instances.

        Raises:
            InputError: the number of sigmas is not that of keypoints, or an image is not annotated.
        """
        matching = self.match(predictions, annotations, image_ids)
        return OksAccumulator(matching, self.comparability(predictions, annotations, image_ids))

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; errors as when accumulating."""
        if self.engine != "hotcoco":
            return super().__call__(predictions, annotations, image_ids)
        images = images_to_score(annotations, image_ids)
        sigmas = self.sigmas_for(annotations)
        values = streamed_values(predictions, annotations, images, sigmas, self.max_detections)
        return Metrics(values, self.comparability(predictions, annotations, image_ids))

    def match(
        self,
        predictions: Predictions,
        annotations: Annotations,
        image_ids: ImageIds = None,
        areas: Sequence[str] = tuple(AREAS),
    ) -> Matching:
        """Which pose is matched to which person, in the area ranges of these names.

        Errors as when accumulating.
        """
        images, sigmas = images_to_score(annotations, image_ids), self.sigmas_for(annotations)
        return match(
            self.engine, predictions, annotations, images, sigmas, self.max_detections, areas
        )

    def comparability(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> dict[str, Any]:
        """What the values depend on."""
        images = images_to_score(annotations, image_ids)
        ids = annotations.image_ids[images]
        people = np.flatnonzero(images[annotations.image_of()])
        # COCO looks for those whom it does not ignore.
        to_find = (annotations.labelled()[people] > 0) & ~annotations.crowd[people]
        instances = int(np.count_nonzero(to_find))
        own = self.sigmas is not None or annotations.options.sigmas is not None
        published = annotations.skeleton.sigmas is not None
        return annotation_comparability(annotations, len(ids), instances, ids) | {
            "metric": "oks",
            "engine": self.engine,
            "sigmas": self.sigmas_for(annotations),
            "sigmas_from": "user" if own else "skeleton" if published else "guess",
            "area": annotations.area_rule,
            "boxes": annotations.box_rule,
            "detection_area": "keypoints" if predictions.boxes is None else "boxes",
            "max_detections": self.max_detections,
        }

    def sigmas_for(self, annotations: Annotations) -> list[float]:
        """The evaluator's sigmas (K,), else the skeleton's.

        Raises:
            InputError: their number is not that of keypoints.
        """
        skeleton = annotations.skeleton
        sigmas = list(skeleton.oks_sigmas if self.sigmas is None else self.sigmas)
        if len(sigmas) != len(skeleton):
            raise InputError(
                f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, got "
                f"{len(sigmas)}"
            )
        return sigmas
