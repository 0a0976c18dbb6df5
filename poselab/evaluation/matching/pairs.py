"""All pairs of a pose and a person of the same image, and two ways to match by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.evaluation.matching.similarity import oks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poselab.annotations.table import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

JOINTS_AT_ONCE = 1 << 20  # 8 MB an array


class Pairs(NamedTuple):
    """Q pairs sorted by pose: pose (Q,) rows of predictions, person (Q,) of people, oks (Q,)."""

    pose: Ints
    person: Ints
    oks: Floats

    def take(self, chosen: Ints | Mask) -> Pairs:
        """Some of the pairs, by index or mask."""
        return Pairs(self.pose[chosen], self.person[chosen], self.oks[chosen])


def turns(scores: Floats, image: Ints) -> Ints:
    """The place (N,) of every pose among those of its image, best score first, ties by row."""
    order = np.lexsort((-scores, image))
    images = image[order]
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - np.searchsorted(images, images)
    return places


def together(
    poses: Ints, image: Ints, instances: Ints, annotations: Annotations
) -> tuple[Ints, Ints]:
    """Pose and person (Q,) of all pairs of ``poses`` (n,), which lie in image rows ``image``
    (n,), and those of ``instances`` (m,), ascending, who are labelled in the same image."""
    home = annotations.image_of()[instances]
    begin, end = (np.searchsorted(home, image, side=side) for side in ("left", "right"))
    counts = end - begin
    before = np.cumsum(counts) - counts
    place = np.arange(counts.sum()) + np.repeat(begin - before, counts)
    return np.repeat(poses, counts), instances[place]


def with_oks(
    pairs: tuple[Ints, Ints],
    predictions: Predictions,
    annotations: Annotations,
    sigmas: Sequence[float],
) -> Pairs:
    """The pairs (Q,), (Q,) of poses and people with their OKS."""
    pose, person = pairs
    similar = np.empty(len(pose))
    for part in parts(len(pose), len(sigmas)):
        similar[part] = oks(predictions.keypoints[pose[part]], annotations, person[part], sigmas)
    return Pairs(pose, person, similar)


def parts(pairs: int, joints: int) -> Iterator[slice]:
    """Slices of so many pairs at a time that arrays of their joints stay small."""
    step = max(1, JOINTS_AT_ONCE // joints)
    for start in range(0, pairs, step):
        yield slice(start, start + step)


def in_turn(pairs: Pairs, turn: Ints, instances: int) -> Ints:
    """The pose (M,) that finds each of ``instances``, -1 for none, when poses choose in turn.

    ``turn`` (Q,) is the turn of each pair's pose in its image. A pose takes the free person of
    greatest OKS, of equals the later, as COCO's evaluation does (Lin et al. 2014).
    """
    pose_of = np.full(instances, -1)
    order = np.lexsort((pairs.person, pairs.oks, pairs.pose, turn))
    ends = np.searchsorted(turn[order], np.arange(turn.max(initial=-1) + 1), side="right")
    for choosing in np.split(order, ends):
        free = choosing[pose_of[pairs.person[choosing]] < 0]
        poses = pairs.pose[free]
        last = free[np.append(poses[1:] != poses[:-1], True)[: len(free)]]
        pose_of[pairs.person[last]] = pairs.pose[last]
    return pose_of


def most_alike(pairs: Pairs) -> Ints:
    """Indices of the pairs that are left when the pair of greatest OKS is taken again and again.

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
