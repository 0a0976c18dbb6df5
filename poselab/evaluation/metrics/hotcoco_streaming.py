"""The ten figures by hotcoco alone, which takes images in parts and puts its results together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.matching.engines import AREAS, images_to_score, problem_of
from poselab.io.background import meanwhile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.matching.engines import Mask
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Ints

MANY = 20_000
"""Predictions whose halves two processes match faster than one matches all."""


class Evaluated(NamedTuple):
    """An evaluation that is ready to accumulate, which images (N,) it is of, and how many people
    were to be found in them."""

    evaluation: Any
    chosen: Mask
    counted: int


def streamed(
    predictions: Predictions,
    annotations: Annotations,
    image_ids: Sequence[int] | Ints | None,
    sigmas: Sequence[float],
    max_detections: int,
) -> Evaluated:
    """All matches of the images asked for, of a second half of many by a second process.

    Raises:
        InputError: an image id is not annotated.
    """
    chosen = images_to_score(annotations, image_ids)
    first, *rest = _parts(chosen, len(predictions))
    match = partial(_matched, predictions, annotations, sigmas, max_detections)
    with meanwhile(lambda: [match(part) for part in rest], worth_it=bool(rest)) as others:
        states, counts = zip(match(first), *others(), strict=True)
    import hotcoco  # not before: its threads would be missing in a copy of this process

    restored = map(hotcoco.StreamingEval.from_bytes, states)
    evaluation = hotcoco.StreamingEval.merge(restored).finalize()
    return Evaluated(evaluation, chosen, sum(counts))


def _parts(chosen: Mask, poses: int) -> list[Mask]:
    """Masks (N,) of the images to match at once."""
    if poses < MANY:
        return [chosen]
    second = np.cumsum(chosen) > np.count_nonzero(chosen) // 2
    return [chosen & ~second, chosen & second]


def _matched(
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float],
    max_detections: int,
    chosen: Mask,
) -> tuple[bytes, int]:
    """hotcoco's state after matching these images, and how many people were to be found."""
    import hotcoco

    params = hotcoco.Params("keypoints")
    params.kpt_oks_sigmas = list(sigmas)
    params.max_dets = [max_detections]
    params.area_rng = [list(limits) for limits in AREAS.values()]
    params.area_rng_lbl = list(AREAS)
    asked = problem_of(predictions, annotations, chosen, max_detections)
    ground_truth, found = asked.ground_truth, asked.found
    evaluation = hotcoco.StreamingEval(ground_truth["categories"], "keypoints", params=params)
    evaluation.update(ground_truth["images"], ground_truth["annotations"], found["annotations"])
    return evaluation.to_bytes(), asked.counted
