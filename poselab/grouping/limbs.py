"""Keypoints grouped into people by scored limbs between them (Cao et al. 2017, 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poselab.structures import Floats, Ints

ASSEMBLIES = ("greedy", "bipartite", "tree")


@dataclass(frozen=True)
class LimbGrouping:
    """The rules that group keypoints into people; the values are Lightweight OpenPose's (Osokin
    2018, modules/keypoints.py).

    assembly: how the ends of a limb are matched among all people. "greedy" takes the best pairs
    first (Cao et al. 2017, section 2.4); "bipartite" takes those with the highest sum (Hungarian
    method); "tree" is greedy on limbs that connect each keypoint once, so that none is redundant.
    What is matched then joins into people, the best of all limbs first; those codes walk the limbs
    in a fixed order.
    detection_threshold: lowest score of a keypoint. limb_threshold: a point along a limb counts
    where the field is above it. samples: the number of such points. long_limb: the share of the
    heatmap's height beyond which a limb scores less the longer it is (None: none does).
    min_keypoints and pose_threshold: people with fewer keypoints, or whose keypoints and limbs
    score less on average, are dropped. max_instances: the number of candidates per keypoint, and of
    people that are kept.

    Raises:
        InputError: an unknown assembly, or numbers below one.
    """

    assembly: str = "greedy"
    detection_threshold: float = 0.1
    limb_threshold: float = 0.05
    samples: int = 10
    long_limb: float | None = 0.5
    min_keypoints: int = 3
    pose_threshold: float = 0.2
    max_instances: int = 30

    def __post_init__(self) -> None:
        if self.assembly not in ASSEMBLIES:
            raise InputError(f"expected an assembly out of {ASSEMBLIES}, got {self.assembly!r}")
        if min(self.samples, self.min_keypoints, self.max_instances) < 1:
            raise InputError(
                "expected samples, min_keypoints and max_instances of 1 or more, got "
                f"{self.samples}, {self.min_keypoints} and {self.max_instances}"
            )


def spanning_limbs(limbs: Sequence[tuple[int, int]], keypoints: int) -> list[int]:
    """The positions of limbs, in their order, that connect keypoints not connected before."""
    group = list(range(keypoints))
    kept = []
    for number, (a, b) in enumerate(limbs):
        if group[a] != group[b]:
            kept.append(number)
            old, new = group[b], group[a]
            group = [new if part == old else part for part in group]
    return kept


def group_by_limbs(
    scores: Floats, limb_scores: Floats, limbs: Sequence[tuple[int, int]], rules: LimbGrouping
) -> Ints:
    """The candidate (P, K) of each person's keypoints, -1 for none; best people first.

    scores (K, M) of M candidates per keypoint, limb_scores (L, M, M) of the limb from each
    candidate of its first keypoint to each of its second, -infinity where there cannot be one.
    People are ordered by the mean of their keypoints' scores, missing ones zero.
    """
    numbers = list(range(len(limbs)))
    if rules.assembly == "tree":
        numbers = spanning_limbs(limbs, len(scores))
    ends = np.array([limbs[number] for number in numbers], int).reshape(-1, 2)
    possible = scores > rules.detection_threshold
    both = possible[ends[:, 0], :, None] & possible[ends[:, 1], None]
    of_limbs = np.asarray(limb_scores[numbers], np.float64)
    of_limbs = np.where(both & (of_limbs > 0), of_limbs, -np.inf)
    pairs = (_best_sum if rules.assembly == "bipartite" else _best_first)(of_limbs)
    of_pairs = of_limbs[pairs.T[0], pairs.T[1], pairs.T[2]]
    order = np.argsort(-of_pairs, kind="stable")
    connections = zip(
        of_pairs[order].tolist(),
        *(ends[pairs[order, 0]].T.tolist()),
        *(pairs[order, 1:].T.tolist()),
        strict=True,
    )
    people = _assemble(connections, len(scores))
    if min(rules.min_keypoints, len(scores)) == 1:
        people += _alone(people, possible)
    return _kept(people, scores, rules)


def _best_first(scores: Floats) -> Ints:
    """Of the pairs of each limb (L, M, M) those that are left when the best goes first: (n, 3)
    limb, first and second end.

    A pair that is the best of its row and of its column is one that this rule takes, so each round
    takes many.
    """
    left, taken = scores.copy(), [np.zeros((0, 3), int)]
    while True:
        limb, first = np.nonzero(np.isfinite(left).any(-1))
        if not len(limb):
            return np.concatenate(taken)
        second = left[limb, first].argmax(-1)
        mutual = left[limb, :, second].argmax(-1) == first
        limb, first, second = limb[mutual], first[mutual], second[mutual]
        taken.append(np.stack([limb, first, second], axis=1))
        left[limb, first] = -np.inf
        left[limb, :, second] = -np.inf


def _best_sum(scores: Floats) -> Ints:
    """The pairs of each limb (L, M, M) with the highest sum, as :func:`_best_first` has them."""
    from scipy.optimize import linear_sum_assignment  # SciPy loads slowly

    taken = [np.zeros((0, 3), int)]
    for limb, each in enumerate(scores):
        ends = np.stack(linear_sum_assignment(np.where(np.isfinite(each), each, 0), maximize=True))
        ends = ends[:, np.isfinite(each[tuple(ends)])]
        taken.append(np.stack([np.full(ends.shape[1], limb), *ends], axis=1))
    return np.concatenate(taken)


class _Person:
    """Candidates by keypoint, and the sum of their limbs' scores."""

    def __init__(self, candidates: dict[int, int], limbs: float = 0.0) -> None:
        self.candidates, self.limbs = candidates, limbs


def _assemble(
    connections: Iterable[tuple[float, int, int, int, int]], keypoints: int
) -> list[_Person]:
    """People of (score, first keypoint, second keypoint, and their candidates), best first.

    A connection joins what its ends belong to, unless both have a keypoint of the same kind.
    """
    owner: list[dict[int, _Person]] = [{} for _ in range(keypoints)]
    for score, a, b, first, second in connections:
        one = owner[a].get(first) or _Person({a: first})
        other = owner[b].get(second) or _Person({b: second})
        if one is not other:
            if not one.candidates.keys().isdisjoint(other.candidates):
                continue
            one.candidates |= other.candidates
            one.limbs += other.limbs
            for keypoint, candidate in one.candidates.items():
                owner[keypoint][candidate] = one
        one.limbs += score
    return list({id(p): p for of_keypoint in owner for p in of_keypoint.values()}.values())


def _alone(people: Sequence[_Person], possible: Any) -> list[_Person]:
    """A person for each candidate that belongs to none."""
    free = possible.copy()
    for person in people:
        free[list(person.candidates), list(person.candidates.values())] = False
    return [_Person({int(k): int(m)}) for k, m in zip(*np.nonzero(free), strict=True)]


def _kept(people: Sequence[_Person], scores: Floats, rules: LimbGrouping) -> Ints:
    """Candidates (P, K) of the people that the rules keep, best first."""
    instances = np.full((len(people), len(scores)), -1)
    for row, person in zip(instances, people, strict=True):
        row[list(person.candidates)] = list(person.candidates.values())
    found = instances >= 0
    sums = np.where(found, scores[np.arange(len(scores)), instances], 0.0).sum(1)
    count = found.sum(1)
    total = sums + np.array([person.limbs for person in people])
    least = min(rules.min_keypoints, len(scores))
    good = (count >= least) & (total >= rules.pose_threshold * count)
    order = np.argsort(-sums[good], kind="stable")[: rules.max_instances]
    kept: Ints = instances[good][order]
    return kept
