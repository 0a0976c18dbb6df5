"""COCO's metrics of some of the people: by size, by crowding, by labelled joints.

The rule is COCO's own for area ranges: people outside the bin are ignored, so that a pose matched
to one counts neither for nor against, and so does an unmatched pose outside the bin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.accumulator import point_values
from poselab.evaluation.matching.pairs import most_similar_people, oks_of_pairs, same_image_pairs
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.crowding import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.coco import Matching
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""COCO's area ranges in pixels², both ends belonging to them."""

OVERLAPS = (0.0, 0.1, 0.3, 0.5)
JOINTS = (1, 6, 11, 16)


class Breakdown(NamedTuple):
    """Values (B,) of people in B bins, NaN for empty bins; instances (B,) are counts."""

    what: str
    bins: tuple[str, ...]
    instances: Ints
    ap: Floats
    ap50: Floats
    ap75: Floats
    ar: Floats


class Bin(NamedTuple):
    """A name, its people (M,), and which poses (N,) count against it if unmatched."""

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
    """Which pose is matched to which person when all people outside a bin are ignored.

    The engine matches anew, because a pose prefers people who count. Only the area range "all" is
    in it.
    """
    labelled = np.where(chosen.instances, annotations.labelled(), 0)  # COCO ignores people with 0
    within = replace(annotations, recorded_keypoints=labelled, cache_file="")
    matching = evaluator.match(predictions, within, image_ids, ("all",))
    outside = ~chosen.poses[matching.row]
    return matching._replace(ignored=matching.ignored | ((matching.person < 0) & outside))


def by_size(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
) -> Breakdown:
    """Metrics by the area of a person: medium and large are COCO's APM and APL.

    COCO labels the keypoints of hardly any small people, and prints no value for them.
    """
    of_both = (annotations.areas, predictions.areas())
    bins = [
        Bin(name, *((low <= areas) & (areas <= high) for areas in of_both))
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
    """Metrics by how much a person's box overlaps that of another, as the greatest IoU.

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
    """Metrics by how many joints of a person are labelled, binned as in :func:`by_crowding`.

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
    """People binned by values (M,) that only people have, not poses.

    A pose counts in the bin of the person of greatest OKS, and in every bin
    where it is similar to no person.
    """
    person_of = _most_similar(predictions, annotations, sigmas)
    ends = [*edges[1:], np.inf]
    last = 1 if np.issubdtype(np.asarray(values).dtype, np.integer) else 0  # 1 to 5, then 6 to 10
    names = [f"{low:g} to {high - last:g}" for low, high in zip(edges, ends, strict=True)]
    names[-1] = f"{edges[-1]:g} and more"
    bins = []
    for name, low, high in zip(names, edges, ends, strict=True):
        instances = np.asarray((low <= values) & (values < high))
        bins.append(Bin(name, instances, (person_of < 0) | instances[person_of]))
    return bins


def _most_similar(
    predictions: Predictions, annotations: Annotations, sigmas: Sequence[float] | None
) -> Ints:
    """The scorable person (N,) of greatest OKS in each pose's image, -1 where every OKS is 0."""
    image = rows_of(annotations.image_ids, predictions.image_ids)
    poses, instances = np.flatnonzero(image >= 0), np.flatnonzero(annotations.scorable())
    rows = same_image_pairs(poses, image[poses], instances, annotations)
    chosen = annotations.skeleton.oks_sigmas if sigmas is None else sigmas
    pairs = oks_of_pairs(rows, predictions, annotations, chosen)
    return most_similar_people(pairs, len(predictions))


def broken_down(
    what: str,
    bins: Sequence[Bin],
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
) -> Breakdown:
    """The metrics of any bins, which may overlap."""
    matchings = [
        matching_within(evaluator, predictions, annotations, chosen, image_ids) for chosen in bins
    ]
    values = [point_values(OksAccumulator(matching)) for matching in matchings]
    return Breakdown(
        what,
        tuple(chosen.name for chosen in bins),
        np.array([matching.counts[0].sum() for matching in matchings]),
        *(np.array([of_bin[key] for of_bin in values]) for key in ("AP", "AP50", "AP75", "AR")),
    )
