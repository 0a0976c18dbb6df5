"""COCO's figures of some of the people: by size, by crowding, by labelled joints.

The rule is COCO's own for area ranges: people outside the bin are ignored, so that a pose that
finds one counts neither for nor against, and so is a pose outside the bin that finds nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import measured
from poselab.evaluation.matching.nearest import most_similar
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.crowding import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.evaluator import ImageIds
    from poselab.evaluation.matching.coco import Matching
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""COCO's area ranges in pixels², both ends belonging to them."""

OVERLAPS = (0.0, 0.1, 0.3, 0.5)
JOINTS = (1, 6, 11, 16)


class Breakdown(NamedTuple):
    """Figures (B,) of people in B bins, NaN where nobody is to be found; people (B,) counted."""

    what: str
    bins: tuple[str, ...]
    instances: Ints
    ap: Floats
    ap50: Floats
    ap75: Floats
    ar: Floats


class Bin(NamedTuple):
    """A name, who belongs to it (M,), and which poses (N,) count against it if they find nobody."""

    name: str
    instances: Mask
    poses: Mask


def matching_within(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    chosen: Bin,
    image_ids: ImageIds = None,
) -> Matching:
    """Which pose found which person when all people outside a bin are ignored, of any size.

    The engine matches anew, because a pose prefers people who count. Only the area range "all" is
    in it.
    """
    labelled = np.where(chosen.instances, annotations.labelled(), 0)  # COCO ignores people with 0
    within = replace(annotations, recorded_keypoints=labelled, stored="")
    found = evaluator.matching(predictions, within, image_ids, ("all",))
    outside = ~chosen.poses[found.row]
    return found._replace(ignored=found.ignored | ((found.person < 0) & outside))


def by_size(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
) -> Breakdown:
    """Figures by the area of a person: medium and large are COCO's APM and APL.

    COCO labels the keypoints of hardly anybody small, and prints no figure for them.
    """
    found = predictions.areas()
    bins = [
        Bin(name, *((low <= areas) & (areas <= high) for areas in (annotations.areas, found)))
        for name, (low, high) in SIZES.items()
    ]
    return broken_down("size", bins, evaluator, predictions, annotations, image_ids)


def by_crowding(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    edges: Sequence[float] = OVERLAPS,
) -> Breakdown:
    """Figures by how much a person's box overlaps that of another, as the greatest IoU.

    The bins are edges[n] <= IoU < edges[n + 1], the last one without an end; see :func:`bins_of`.
    """
    bins = bins_of(overlaps(annotations), edges, predictions, annotations, evaluator.sigmas)
    return broken_down("crowding", bins, evaluator, predictions, annotations, image_ids)


def by_labelled_joints(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    edges: Sequence[float] = JOINTS,
) -> Breakdown:
    """Figures by how many joints of a person are labelled, binned as in :func:`by_crowding`.

    The edges are those of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance
    Pose Estimation" (ICCV 2017), as far as the skeleton has so many joints.
    """
    reached = [edge for edge in edges if edge <= len(annotations.skeleton)]
    counts = annotations.labelled()
    bins = bins_of(counts, reached, predictions, annotations, evaluator.sigmas)
    return broken_down("labelled joints", bins, evaluator, predictions, annotations, image_ids)


def bins_of(
    values: Floats | Ints,
    edges: Sequence[float],
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float] | None = None,
) -> list[Bin]:
    """People binned by what is known of people alone: values (M,).

    A pose has no such value. It counts in the bin of the person it is most like by OKS, and in
    every bin where it is like nobody.
    """
    model = most_similar(predictions, annotations, sigmas)
    ends = [*edges[1:], np.inf]
    last = 1 if np.issubdtype(np.asarray(values).dtype, np.integer) else 0  # 1 to 5, then 6 to 10
    names = [f"{low:g} to {high - last:g}" for low, high in zip(edges, ends, strict=True)]
    names[-1] = f"{edges[-1]:g} and more"
    bins = []
    for name, low, high in zip(names, edges, ends, strict=True):
        instances = np.asarray((low <= values) & (values < high))
        bins.append(Bin(name, instances, (model < 0) | instances[model]))
    return bins


def broken_down(
    what: str,
    bins: Sequence[Bin],
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
) -> Breakdown:
    """The figures of any bins, which may overlap."""
    matchings = [
        matching_within(evaluator, predictions, annotations, chosen, image_ids) for chosen in bins
    ]
    figures = [measured(OksAccumulator(matching)) for matching in matchings]
    return Breakdown(
        what,
        tuple(chosen.name for chosen in bins),
        np.array([matching.counts[0].sum() for matching in matchings]),
        *(np.array([f[key] for f in figures]) for key in ("AP", "AP50", "AP75", "AR")),
    )
