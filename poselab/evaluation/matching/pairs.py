"""All pairs of a pose and a person of the same image, and ways to match by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.evaluation.matching.similarity import oks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints, Mask

JOINTS_AT_ONCE = 1 << 20  # 8 MB an array


class Pairs(NamedTuple):
    """Q pairs sorted by pose: pose (Q,) rows of predictions, person (Q,) of people, oks (Q,)."""

    pose: Ints
    person: Ints
    oks: Floats

    def take(self, chosen: Ints | Mask) -> Pairs:
        """Some of the pairs, by index or mask."""
        return Pairs(self.pose[chosen], self.person[chosen], self.oks[chosen])


def score_ranks(scores: Floats, image: Ints) -> Ints:
    """The rank (N,) of each pose in its image (N,) by score, the best first, ties by row."""
    order = np.lexsort((-scores, image))
    images = image[order]
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - np.searchsorted(images, images)
    return places


def same_image_pairs(
    poses: Ints, image: Ints, instances: Ints, annotations: Annotations
) -> tuple[Ints, Ints]:
    """All pairs (Q,) of one of ``poses`` (n,) and one of ``instances`` (m,) of the same image.

    ``image`` (n,) is the image row of each pose; ``instances`` are person rows, ascending.
    """
    image_of_instance = annotations.image_of()[instances]
    begin, end = (np.searchsorted(image_of_instance, image, side=s) for s in ("left", "right"))
    counts = end - begin
    before = np.cumsum(counts) - counts
    place = np.arange(counts.sum()) + np.repeat(begin - before, counts)
    # Millions of pairs: short integers halve what they take.
    return np.repeat(poses.astype(np.int32), counts), instances.astype(np.int32)[place]


def oks_of_pairs(
    pairs: tuple[Ints, Ints],
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Pairs:
    """The pairs (Q,), (Q,) of poses and people with their OKS."""
    pose, person = pairs
    similar = np.empty(len(pose))
    for part in slices_of_pairs(len(pose), len(sigmas)):
        similar[part] = oks(predictions.keypoints[pose[part]], annotations, person[part], sigmas)
    return Pairs(pose, person, similar)


def scorable_pairs(
    predictions: Predictions, annotations: Annotations, sigmas: Sequence[float]
) -> Pairs:
    """All pairs of a pose and a scorable person of its image; poses of other images have none."""
    image = rows_of(annotations.image_ids, predictions.image_ids)
    poses, instances = np.flatnonzero(image >= 0), np.flatnonzero(annotations.scorable())
    rows = same_image_pairs(poses, image[poses], instances, annotations)
    return oks_of_pairs(rows, predictions, annotations, sigmas)


def slices_of_pairs(pairs: int, joints: int) -> Iterator[slice]:
    """Slices of so many pairs at a time that arrays of their joints stay small."""
    step = max(1, JOINTS_AT_ONCE // joints)
    for start in range(0, pairs, step):
        yield slice(start, start + step)


def match_greedily(pairs: Pairs, rank: Ints, instances: int) -> Ints:
    """The pose (M,) matched to each of ``instances``, -1 for none: COCO's greedy rule.

    The poses of an image choose in the order of their ``rank`` (Q, of each pair's pose). A pose
    takes the unmatched person of greatest OKS, of equals the later (Lin et al. 2014; pycocotools,
    ``evaluateImg``). Poses of one rank lie in different images and choose at once.
    """
    pose_of = np.full(instances, -1)
    # evaluateImg keeps looking while OKS is not lower, so of equal people the later one wins.
    order = np.lexsort((pairs.person, pairs.oks, pairs.pose, rank))
    ends = np.searchsorted(rank[order], np.arange(rank.max(initial=-1) + 1), side="right")
    for choosing in np.split(order, ends):
        unmatched = choosing[pose_of[pairs.person[choosing]] < 0]
        poses = pairs.pose[unmatched]
        greatest = unmatched[np.append(poses[1:] != poses[:-1], True)[: len(unmatched)]]
        pose_of[pairs.person[greatest]] = pairs.pose[greatest]
    return pose_of


def most_similar_people(pairs: Pairs, num_poses: int) -> Ints:
    """The person (N,) of greatest OKS of each pose, of equals the first, -1 if every OKS is 0."""
    person_of = np.full(num_poses, -1)
    if len(pairs.pose):
        first = np.append(0, np.flatnonzero(pairs.pose[1:] != pairs.pose[:-1]) + 1)
        greatest = np.maximum.reduceat(pairs.oks, first)
        of_pair = np.repeat(greatest, np.diff(first, append=len(pairs.pose)))
        best = pairs.take((pairs.oks == of_pair) & (pairs.oks > 0))
        person_of[best.pose[::-1]] = best.person[::-1]  # the first is assigned last
    return person_of


def most_similar_pairs(pairs: Pairs) -> Ints:
    """Indices of the pairs chosen when the remaining pair of greatest OKS is taken repeatedly.

    Of equal pairs the earlier is taken. A pair that is the greatest of both its pose and its person
    is safe to take whatever happens elsewhere, so that each round takes many.
    """
    left = np.argsort(-pairs.oks, kind="stable")
    taken = []
    while len(left):
        _, of_pose = np.unique(pairs.pose[left], return_index=True)
        _, of_person = np.unique(pairs.person[left], return_index=True)
        chosen = left[np.intersect1d(of_pose, of_person, assume_unique=True)]
        taken.append(chosen)
        gone = np.isin(pairs.pose[left], pairs.pose[chosen])
        gone |= np.isin(pairs.person[left], pairs.person[chosen])
        left = left[~gone]
    return np.sort(np.concatenate([np.empty(0, np.int64), *taken]))
