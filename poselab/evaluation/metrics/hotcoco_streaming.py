"""COCO's ten values by hotcoco's own accumulation, without copying its matches to Python.

Only for speed: on 100,000 detections it takes 0.2 s where matching and accumulating for resampling
(:mod:`poselab.evaluation.metrics.average_precision`) takes 0.9 s, and ``poselab evaluate`` aims at
1.2 times what hotcoco takes alone (``scripts/benchmarks/evaluate_oks.py``). Where intervals are
wanted, value and interval both come from that accumulation; tests hold the two to the same digits.
"""

from __future__ import annotations

import contextlib
import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.matching.coco import AREAS
from poselab.evaluation.matching.coco_datasets import CATEGORY, coco_datasets, image_slices
from poselab.evaluation.metrics.average_precision import KEYS
from poselab.io.background import in_background

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Mask

MANY = 20_000
"""Predictions whose halves two processes match faster than one matches all."""


def streamed_values(
    predictions: Predictions,
    annotations: Annotations,
    images: Mask,
    sigmas: Sequence[float],
    max_detections: int,
) -> dict[str, float]:
    """The values of the masked images (N,); of many, a second process matches one half."""
    first, *rest = _parts(images, len(predictions))
    match = partial(_matched, predictions, annotations, sigmas, max_detections)
    with in_background(lambda: [match(part) for part in rest], worth_it=bool(rest)) as others:
        states = [match(first), *others()]
    import hotcoco  # not before: its threads would be missing in a copy of this process

    evaluation = hotcoco.StreamingEval.merge(
        map(hotcoco.StreamingEval.from_bytes, states)
    ).finalize()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    result: Any = evaluation.eval
    return {key: _mean(np.asarray(result[of])[at], area) for key, (of, at, area) in KEYS.items()}


def _parts(images: Mask, poses: int) -> list[Mask]:
    """Masks (N,) of the images to match at once."""
    if poses < MANY:
        return [images]
    second = np.cumsum(images) > np.count_nonzero(images) // 2
    return [images & ~second, images & second]


def _matched(
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float],
    max_detections: int,
    images: Mask,
) -> bytes:
    """hotcoco's state after matching these images."""
    import hotcoco

    params = hotcoco.Params("keypoints")
    params.kpt_oks_sigmas = list(sigmas)
    params.max_dets = [max_detections]
    params.area_rng = [list(ends) for ends in AREAS.values()]
    params.area_rng_lbl = list(AREAS)
    evaluation = hotcoco.StreamingEval([CATEGORY], "keypoints", params=params)
    for some in image_slices(predictions, annotations, images):
        _, _, _, ground_truth, detections = coco_datasets(
            predictions, annotations, some, max_detections
        )
        evaluation.update(
            ground_truth["images"], ground_truth["annotations"], detections["annotations"]
        )
    return evaluation.to_bytes()


def _mean(values: Floats, area: int) -> float:
    """Mean over one area range (the axis before the last) of what exists; COCO marks gaps by -1."""
    one = values[..., area, -1]
    there = one[one > -1]
    return float(np.mean(there)) if there.size else float("nan")
