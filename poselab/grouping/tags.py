"""Joints to people by their tags: associative embedding, Newell et al. 2017, section 3.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints, Skeleton

# From the torso outwards, after the head, as the authors' code walks: early joints found people,
# so they are the ones that are seldom hidden or confused.
_PLACES = (
    *("nose", "eye", "ear", "head", "neck", "thorax", "shoulder", "hip", "pelvis"),
    *("elbow", "knee", "wrist", "ankle"),
)
_FORBIDDEN = 1e10


@dataclass(frozen=True)
class TagGrouping:
    """How joints become people; the defaults are HigherHRNet's (Cheng et al. 2020).

    detection_threshold: a joint's least score. tag_threshold: the largest distance of its tag from
    the mean tag of a person. max_people: how many joints of a kind are looked at, and how many
    people are kept, best mean score first. adjust: quarter offset to the higher neighbour. refine:
    look for missing joints where the tag fits best.

    Raises:
        InputError: max_people below one, or a tag threshold not above zero.
    """

    detection_threshold: float = 0.1
    tag_threshold: float = 1.0
    max_instances: int = 30
    adjust: bool = True
    refine: bool = True

    def __post_init__(self) -> None:
        if self.max_instances < 1 or not self.tag_threshold > 0:
            raise InputError(
                "expected max_people of 1 or more and a tag_threshold above 0, "
                f"got {self.max_instances} and {self.tag_threshold}"
            )


def joint_order(skeleton: Skeleton) -> tuple[int, ...]:
    """The order in which joints are dealt to people; keypoints of unknown places come last."""

    def place(k: int) -> int:
        name = skeleton.keypoints[k]
        return next((i for i, part in enumerate(_PLACES) if part in name), len(_PLACES))

    return tuple(sorted(range(len(skeleton)), key=place))


def group(scores: Floats, tags: Floats, order: tuple[int, ...], rules: TagGrouping) -> Ints:
    """Which candidate each person takes as each joint, (P, K), -1 for none; best people first.

    scores (K, M) and tags (K, M, T) of M candidates a joint. Joint by joint, candidates go to the
    people whose mean tag so far is nearest (Hungarian assignment on the distance rounded to whole
    tags; where candidates outnumber people, the higher scores); those that fit nobody found new
    people.
    """
    joints, _, depth = tags.shape
    instances = np.full((0, joints), -1)
    sums, counts = np.zeros((0, depth)), np.zeros(0)
    for k in order:
        found = np.flatnonzero(scores[k] > rules.detection_threshold)
        if found.size == 0:
            continue
        owner = _owners(scores[k, found], tags[k, found], sums / counts[:, None], rules)
        founders = np.flatnonzero(owner < 0)
        owner[founders] = len(instances) + np.arange(len(founders))
        instances = np.concatenate([instances, np.full((len(founders), joints), -1)])
        sums = np.concatenate([sums, np.zeros((len(founders), depth))])
        counts = np.concatenate([counts, np.zeros(len(founders))])
        instances[owner, k] = found
        sums[owner] += tags[k, found]
        counts[owner] += 1
    return _best(instances, scores, rules.max_instances)


def _owners(scores: Floats, tags: Floats, means: Floats, rules: TagGrouping) -> Ints:
    """The person (N,) each of N candidates belongs to, -1 for those who fit nobody."""
    owner = np.full(len(scores), -1)
    if len(means) == 0:
        return owner
    from scipy.optimize import linear_sum_assignment

    distance = np.linalg.norm(tags[:, None] - means[None], axis=-1)
    fits = distance < rules.tag_threshold
    # The authors' cost: whole tags first, then scores decide who goes without a person. The last
    # term, small and strictly convex, settles what theirs leaves to the order of candidates:
    # which of two people as near gets which of two candidates.
    cost = np.round(distance) * 100 - scores[:, None]
    cost += 1e-3 * distance**2 / (1 + distance)
    spare = np.full((len(scores), max(len(scores) - len(means), 0)), _FORBIDDEN)
    rows, columns = linear_sum_assignment(np.concatenate([cost, spare], axis=1))
    taken = columns < len(means)
    rows, columns = rows[taken], columns[taken]
    kept = fits[rows, columns]
    owner[rows[kept]] = columns[kept]
    return owner


def _best(instances: Ints, scores: Floats, most: int) -> Ints:
    """The ``most`` rows of people (P, K) with the highest mean score of their joints."""
    here = instances >= 0
    found = np.where(here, scores[np.arange(instances.shape[1]), instances], 0.0)
    mean = found.sum(axis=1) / np.maximum(here.sum(axis=1), 1)
    return instances[np.argsort(-mean, kind="stable")[:most]]
