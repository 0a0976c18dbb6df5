"""COCO's metrics of some of the people: by size, by crowding, by labelled joints.

The rule is COCO's own for area ranges: people outside the bin are ignored, so that a pose matched
to one counts neither for nor against, and so does an unmatched pose outside the bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.evaluation.accumulator import point_values
from poselab.evaluation.images import images_to_score
from poselab.evaluation.matching.candidates import (
    candidates,
    ignoring_instances,
    match_candidates,
    pairs_to_match,
)
from poselab.evaluation.matching.pairs import most_similar_people, scorable_pairs
from poselab.evaluation.metrics.average_precision import OksAccumulator
from poselab.evaluation.metrics.crowding import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.matching.candidates import Candidates
    from poselab.evaluation.matching.coco import Matching
    from poselab.evaluation.matching.pairs import Pairs
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


class ComparedPoses(NamedTuple):
    """Poses compared with the people of their images once, for breakdowns of any kind: what COCO
    can match, and the person (N,) of greatest OKS of each pose, -1 where every OKS is 0."""

    candidates: Candidates
    most_similar: Ints


def compare_poses(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    pairs: Pairs | None = None,
) -> ComparedPoses:
    """Compare all poses by the evaluator's sigmas, unless all scorable ``pairs`` are known."""
    sigmas = evaluator.sigmas_for(annotations)
    if pairs is None:
        pairs = scorable_pairs(predictions, annotations, sigmas)
    similar = pairs_to_match(predictions, annotations, sigmas, pairs)
    images = images_to_score(annotations, image_ids)
    found = candidates(predictions, annotations, similar, images, evaluator.max_detections)
    return ComparedPoses(found, most_similar_people(pairs, len(predictions)))


def matching_within(compared: ComparedPoses, annotations: Annotations, chosen: Bin) -> Matching:
    """Which pose is matched to which person when all people outside a bin are ignored.

    All poses are matched anew, because a pose prefers people who count. Only the area range "all"
    is in it.
    """
    within = ignoring_instances(annotations, ~chosen.instances)
    return match_candidates(compared.candidates, within, ~chosen.poses)


def breakdowns(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    pairs: Pairs | None = None,
) -> list[Breakdown]:
    """By size, by crowding and by labelled joints, of poses that are compared once, or whose
    scorable ``pairs`` are known."""
    scored = (evaluator, predictions, annotations, image_ids)
    compared = compare_poses(*scored, pairs)
    kinds = (by_size, by_crowding, by_labelled_joints)
    return [by(*scored, compared=compared) for by in kinds]


def by_size(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    compared: ComparedPoses | None = None,
) -> Breakdown:
    """Metrics by the area of a person: medium and large are COCO's APM and APL.

    COCO labels the keypoints of hardly any small people, and prints no value for them.
    """
    compared = compared or compare_poses(evaluator, predictions, annotations, image_ids)
    of_both = (annotations.areas, predictions.areas())
    bins = [
        Bin(name, *((low <= areas) & (areas <= high) for areas in of_both))
        for name, (low, high) in SIZES.items()
    ]
    return broken_down("size", bins, compared, annotations)


def by_crowding(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    edges: Sequence[float] = OVERLAPS,
    compared: ComparedPoses | None = None,
) -> Breakdown:
    """Metrics by how much a person's box overlaps that of another, as the greatest IoU.

    The bins are edges[n] <= IoU < edges[n + 1], the last one without an end; see :func:`bins_of`.
    """
    compared = compared or compare_poses(evaluator, predictions, annotations, image_ids)
    bins = bins_of(overlaps(annotations), edges, compared.most_similar)
    return broken_down("crowding", bins, compared, annotations)


def by_labelled_joints(
    evaluator: OksEvaluator,
    predictions: Predictions,
    annotations: Annotations,
    image_ids: ImageIds = None,
    edges: Sequence[float] = JOINTS,
    compared: ComparedPoses | None = None,
) -> Breakdown:
    """Metrics by how many joints of a person are labelled, binned as in :func:`by_crowding`.

    The edges are those of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance
    Pose Estimation" (ICCV 2017), as far as the skeleton has so many joints.
    """
    compared = compared or compare_poses(evaluator, predictions, annotations, image_ids)
    reached = [edge for edge in edges if edge <= len(annotations.skeleton)]
    bins = bins_of(annotations.labelled(), reached, compared.most_similar)
    return broken_down("labelled joints", bins, compared, annotations)


def bins_of(values: Floats | Ints, edges: Sequence[float], most_similar: Ints) -> list[Bin]:
    """People binned by values (M,) that only people have, not poses.

    A pose counts in the bin of the person of greatest OKS (N,), and in every bin where it is
    similar to no person (-1).
    """
    ends = [*edges[1:], np.inf]
    last = 1 if np.issubdtype(np.asarray(values).dtype, np.integer) else 0  # 1 to 5, then 6 to 10
    names = [f"{low:g} to {high - last:g}" for low, high in zip(edges, ends, strict=True)]
    names[-1] = f"{edges[-1]:g} and more"
    bins = []
    for name, low, high in zip(names, edges, ends, strict=True):
        instances = np.asarray((low <= values) & (values < high))
        bins.append(Bin(name, instances, (most_similar < 0) | instances[most_similar]))
    return bins


def broken_down(
    what: str, bins: Sequence[Bin], compared: ComparedPoses, annotations: Annotations
) -> Breakdown:
    """The metrics of any bins, which may overlap."""
    instances, values = [], []
    for chosen in bins:
        matching = matching_within(compared, annotations, chosen)
        instances.append(matching.counts[0].sum())
        values.append(point_values(OksAccumulator(matching)))
    return Breakdown(
        what,
        tuple(chosen.name for chosen in bins),
        np.array(instances),
        *(np.array([of_bin[key] for of_bin in values]) for key in ("AP", "AP50", "AP75", "AR")),
    )
