"""Joints grouped into people by tags: associative embedding, Newell et al. 2017, section 3.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints, Skeleton

# Joints are grouped from the head and torso outwards, as in the authors' code: the first joints
# start people, so they should be the ones that are seldom hidden or confused.
_BODY_PARTS = (
    *("nose", "eye", "ear", "head", "neck", "thorax", "shoulder", "hip", "pelvis"),
    *("elbow", "wrist", "knee", "ankle"),
)
_FORBIDDEN = 1e10  # cost of a column that represents no person


@dataclass(frozen=True)
class TagGrouping:
    """The rules that group joints into people; the defaults are HigherHRNet's (Cheng et al. 2020).

    detection_threshold: lowest score of a joint. tag_threshold: largest distance of its tag from
    the mean tag of a person. max_instances: the number of candidates per joint, and of people that
    are kept, best score first: the mean over all joints, missing ones zero. adjust: quarter offset
    to the higher neighbour. refine: place missing joints where heatmap and tag fit best.

    Raises:
        InputError: max_instances below one, or a tag threshold not above zero.
    """

    detection_threshold: float = 0.1
    tag_threshold: float = 1.0
    max_instances: int = 30
    adjust: bool = True
    refine: bool = True

    def __post_init__(self) -> None:
        if self.max_instances < 1 or not self.tag_threshold > 0:
            raise InputError(
                "expected max_instances of 1 or more and a tag_threshold above 0, "
                f"got {self.max_instances} and {self.tag_threshold}"
            )


def joint_order(skeleton: Skeleton) -> tuple[int, ...]:
    """The order in which joints are grouped; keypoints of unknown body parts come last."""

    def rank(k: int) -> int:
        name = skeleton.keypoints[k]
        return next((i for i, part in enumerate(_BODY_PARTS) if part in name), len(_BODY_PARTS))

    return tuple(sorted(range(len(skeleton)), key=rank))


def group(scores: Floats, tags: Floats, order: tuple[int, ...], rules: TagGrouping) -> Ints:
    """The candidate (P, K) of each person's joints, -1 for none; best people first.

    scores (K, M) and tags (K, M, T) of M candidates per joint. Joint by joint, candidates go to the
    people whose mean tag so far is nearest (Hungarian assignment on the distance rounded to whole
    tags; where candidates outnumber people, the higher scores win); those that fit no person start
    new people.
    """
    joints, _, depth = tags.shape
    instances = np.full((0, joints), -1)
    sums, counts = np.zeros((0, depth)), np.zeros(0)
    for k in order:
        candidates = np.flatnonzero(scores[k] > rules.detection_threshold)
        if candidates.size == 0:
            continue
        owner = _match(scores[k, candidates], tags[k, candidates], sums / counts[:, None], rules)
        new = np.flatnonzero(owner < 0)
        owner[new] = len(instances) + np.arange(len(new))
        instances = np.concatenate([instances, np.full((len(new), joints), -1)])
        sums = np.concatenate([sums, np.zeros((len(new), depth))])
        counts = np.concatenate([counts, np.zeros(len(new))])
        instances[owner, k] = candidates
        sums[owner] += tags[k, candidates]
        counts[owner] += 1
    mean = np.where(instances >= 0, scores[np.arange(joints), instances], 0.0).mean(axis=1)
    return instances[np.argsort(-mean, kind="stable")[: rules.max_instances]]


def _match(scores: Floats, tags: Floats, means: Floats, rules: TagGrouping) -> Ints:
    """The person (N,) that each of N candidates belongs to, -1 for those that fit no person."""
    owner = np.full(len(scores), -1)
    if len(means) == 0:
        return owner
    from scipy.optimize import linear_sum_assignment  # SciPy loads slowly

    distance = np.linalg.norm(tags[:, None] - means[None], axis=-1)
    fits = distance < rules.tag_threshold
    # The authors' cost: rounded distances, then scores decide which candidates get a person. The
    # last term, small and strictly convex, breaks ties that their cost leaves to the order of
    # candidates: which of two equally near people gets which of two candidates.
    cost = np.round(distance) * 100 - scores[:, None]
    cost += 1e-3 * distance**2 / (1 + distance)
    no_person = np.full((len(scores), max(len(scores) - len(means), 0)), _FORBIDDEN)
    rows, columns = linear_sum_assignment(np.concatenate([cost, no_person], axis=1))
    taken = columns < len(means)
    rows, columns = rows[taken], columns[taken]
    kept = fits[rows, columns]
    owner[rows[kept]] = columns[kept]
    return owner
