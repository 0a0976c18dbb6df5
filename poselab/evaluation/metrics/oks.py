"""COCO's keypoint metric: average precision and recall over object keypoint similarity."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from poselab.evaluation.accumulator import measured
from poselab.evaluation.matching.coco import Matching, matching_of
from poselab.evaluation.matching.engines import AREAS, MODULES, Problem, matched, problem
from poselab.evaluation.metrics.average_precision import KEYS, OksAccumulator
from poselab.evaluation.metrics.hotcoco_streaming import Evaluated, streamed
from poselab.evaluation.record import Metrics, annotation_comparability
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.matching.engines import Mask
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats


@dataclass(frozen=True)
class OksEvaluator:
    """The ten COCO keypoint figures, to the last digit those of pycocotools.

    ``engine`` is hotcoco or pycocotools; ``sigmas`` (K,) replace the skeleton's. People are
    numbered anew, because pycocotools takes a match with annotation 0 for no match. Source: Lin et
    al. 2014 and cocodataset.org/#keypoints-eval.
    """

    primary_metric: ClassVar[str] = "AP"
    engine: str = "hotcoco"
    sigmas: Sequence[float] | None = None
    max_detections: int = 20

    def __post_init__(self) -> None:
        if self.engine not in MODULES:
            raise InputError(f"expected engine {' or '.join(MODULES)}, got {self.engine!r}")

    def __call__(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> Metrics:
        """See :class:`poselab.evaluation.evaluator.Evaluator`; NaN where nobody is to be found.

        Raises:
            InputError: as many sigmas as keypoints are needed, or an image id is not annotated.
        """
        evaluation, chosen, instances = self._evaluated(predictions, annotations, image_ids)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        result = {key: np.asarray(evaluation.eval[key]) for key in ("precision", "recall")}
        values = {key: _mean(result[of][at], area) for key, (of, at, area) in KEYS.items()}
        return self._metrics(values, predictions, annotations, chosen, instances)

    def scored(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> tuple[Metrics, OksAccumulator]:
        """The figures and the tally that they come of, by one matching; errors as when scoring."""
        asked, evaluation = self._matched(predictions, annotations, image_ids)
        tally = OksAccumulator(matching_of(evaluation, asked, predictions, annotations))
        metrics = self._metrics(
            measured(tally), predictions, annotations, asked.chosen, asked.counted
        )
        return metrics, tally

    def matching(
        self,
        predictions: Predictions,
        annotations: Annotations,
        image_ids: ImageIds = None,
        areas: Sequence[str] = tuple(AREAS),
    ) -> Matching:
        """Which pose found which person in the first of COCO's area ranges, by default in all.

        Arguments and errors as when scoring.
        """
        asked, evaluation = self._matched(predictions, annotations, image_ids, areas)
        return matching_of(evaluation, asked, predictions, annotations, areas)

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> OksAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        return OksAccumulator(self.matching(predictions, annotations, image_ids))

    def _evaluated(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds
    ) -> Evaluated:
        if self.engine == "hotcoco":
            sigmas = self._sigmas(annotations)
            return streamed(predictions, annotations, image_ids, sigmas, self.max_detections)
        asked, evaluation = self._matched(predictions, annotations, image_ids)
        return Evaluated(evaluation, asked.chosen, asked.counted)

    def _matched(
        self,
        predictions: Predictions,
        annotations: Annotations,
        image_ids: ImageIds,
        areas: Sequence[str] = tuple(AREAS),
    ) -> tuple[Problem, Any]:
        sigmas = self._sigmas(annotations)
        asked = problem(predictions, annotations, image_ids, self.max_detections)
        return asked, matched(self.engine, asked, sigmas, self.max_detections, areas)

    def _metrics(
        self,
        values: dict[str, float],
        predictions: Predictions,
        annotations: Annotations,
        chosen: Mask,
        instances: int,
    ) -> Metrics:
        images = annotations.image_ids[chosen]
        comparability = annotation_comparability(annotations, len(images), instances, images)
        return Metrics(values, comparability | self._contract(predictions, annotations))

    def _sigmas(self, annotations: Annotations) -> list[float]:
        skeleton = annotations.skeleton
        sigmas = list(skeleton.oks_sigmas if self.sigmas is None else self.sigmas)
        if len(sigmas) != len(skeleton):
            raise InputError(
                f"expected {len(skeleton)} sigmas, one for each keypoint of {skeleton.name}, got "
                f"{len(sigmas)}"
            )
        return sigmas

    def _contract(self, predictions: Predictions, annotations: Annotations) -> dict[str, Any]:
        published = self.sigmas is None and annotations.skeleton.sigmas is not None
        return {
            "metric": "oks",
            "engine": self.engine,
            "sigmas": self._sigmas(annotations),
            "sigmas_from": "skeleton" if published else "guess" if self.sigmas is None else "user",
            "area": annotations.area_rule,
            "boxes": annotations.box_rule,
            "detection_area": "keypoints" if predictions.boxes is None else "boxes",
            "max_detections": self.max_detections,
        }


def _mean(values: Floats, area: int) -> float:
    """Mean over one area range (the axis before the last) of what exists; COCO marks gaps by -1."""
    one = values[..., area, -1]
    there = one[one > -1]
    return float(np.mean(there)) if there.size else float("nan")
