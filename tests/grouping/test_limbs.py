"""Keypoints joined along limbs, against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poselab.grouping.limbs import ASSEMBLIES, LimbGrouping, group_by_limbs, spanning_limbs
from poselab.structures import InputError

RULES = LimbGrouping(min_keypoints=2)
CHAIN = ((0, 1), (1, 2))


def no_limbs(limbs: int, candidates: int) -> np.ndarray:
    return np.full((limbs, candidates, candidates), -np.inf)


def test_two_people_of_a_chain() -> None:
    """Candidates are crossed between the first and the second keypoint."""
    scores = np.array([[0.9, 0.8], [0.9, 0.8], [0.9, 0.8]])
    limbs = no_limbs(2, 2)
    limbs[0, 0, 1], limbs[0, 1, 0], limbs[0, 0, 0] = 0.9, 0.8, 0.5
    limbs[1, 1, 1], limbs[1, 0, 0] = 0.7, 0.6
    for assembly in ASSEMBLIES:
        people = group_by_limbs(scores, limbs, CHAIN, replace(RULES, assembly=assembly))
        assert people.tolist() == [[1, 0, 0], [0, 1, 1]], "2.6 of 3 against 2.5"


def test_the_best_limb_first_and_the_highest_sum_differ() -> None:
    """0.9 + 0.1 is taken by the first rule, 0.8 + 0.7 by the second."""
    scores = np.full((2, 2), 0.9)
    limbs = np.array([[[0.9, 0.8], [0.7, 0.1]]])
    greedy = group_by_limbs(scores, limbs, ((0, 1),), RULES)
    best = group_by_limbs(scores, limbs, ((0, 1),), replace(RULES, assembly="bipartite"))
    assert sorted(greedy.tolist()) == [[0, 0], [1, 1]]
    assert sorted(best.tolist()) == [[0, 1], [1, 0]]


def test_redundant_limbs_bridge_one_that_is_missing() -> None:
    """A cycle of three keypoints without its second limb; a tree has no other way."""
    cycle = ((0, 1), (1, 2), (2, 0))
    limbs = no_limbs(3, 1)
    limbs[0, 0, 0] = limbs[2, 0, 0] = 0.8
    scores = np.full((3, 1), 0.9)
    assert group_by_limbs(scores, limbs, cycle, RULES).tolist() == [[0, 0, 0]]
    tree = group_by_limbs(scores, limbs, cycle, replace(RULES, assembly="tree"))
    assert tree.tolist() == [[0, 0, -1]]


def test_a_limb_does_not_join_people_who_have_the_same_keypoint() -> None:
    """The weakest of three limbs would join two people who both have a second keypoint."""
    limbs = no_limbs(2, 2)
    limbs[0, 0, 0] = limbs[0, 1, 1] = 0.9
    limbs[1, 0, 0], limbs[1, 1, 0] = 0.8, 0.7
    scores = np.array([[0.9, 0.9], [0.9, 0.9], [0.9, 0.0]])
    people = group_by_limbs(scores, limbs, CHAIN, RULES)
    assert people.tolist() == [[0, 0, 0], [1, 1, -1]]


def test_what_is_too_little_of_a_person_is_dropped() -> None:
    scores = np.array([[0.9, 0.12], [0.9, 0.12], [0.9, 0.12]])
    limbs = no_limbs(2, 2)
    limbs[0, 0, 0] = limbs[1, 0, 0] = 0.9
    limbs[0, 1, 1] = limbs[1, 1, 1] = 0.06
    rules = LimbGrouping(min_keypoints=3)
    assert group_by_limbs(scores, limbs, CHAIN, rules).tolist() == [[0, 0, 0]], "0.48 / 3 < 0.2"
    lenient = replace(rules, pose_threshold=0.1)
    assert len(group_by_limbs(scores, limbs, CHAIN, lenient)) == 2
    assert len(group_by_limbs(scores, limbs, CHAIN, replace(lenient, max_instances=1))) == 1
    limbs[1] = -np.inf
    assert len(group_by_limbs(scores, limbs, CHAIN, rules)) == 0, "two keypoints of three"


def test_lone_keypoints_are_people_where_one_is_enough() -> None:
    scores = np.array([[0.9, 0.5, 0.05]])
    people = group_by_limbs(scores, np.zeros((0, 3, 3)), (), LimbGrouping())
    assert people.tolist() == [[0], [1]]
    rules = LimbGrouping(min_keypoints=1)
    alone = group_by_limbs(np.array([[0.9], [0.8]]), no_limbs(1, 1), ((0, 1),), rules)
    assert alone.tolist() == [[0, -1], [-1, 0]]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
@pytest.mark.parametrize("people", [0, 1, 40])
def test_people_whose_limbs_are_certain_are_found(assembly: str, people: int) -> None:
    """A forest of two trees and a cycle, candidates in random order."""
    random = np.random.default_rng(people)
    skeleton = ((0, 1), (1, 2), (2, 3), (3, 0), (1, 3), (4, 5))
    order = [random.permutation(people) for _ in range(6)]
    limbs = random.uniform(-0.5, 0.3, (6, people, people))
    for number, (a, b) in enumerate(skeleton):
        limbs[number, order[a], order[b]] = random.uniform(0.6, 1, people)
    scores = random.uniform(0.5, 1, (6, people))
    rules = LimbGrouping(assembly, min_keypoints=2, max_instances=100)
    found = group_by_limbs(scores, limbs, skeleton, rules)
    expected = {tuple(int(order[k][n]) for k in range(4)) for n in range(people)}
    assert {tuple(row[:4].tolist()) for row in found if row[0] >= 0} == expected
    assert len(found) == 2 * people, "the other tree is never joined to the first"


def test_spanning_limbs_leave_out_cycles() -> None:
    assert spanning_limbs(((0, 1), (1, 2), (2, 0), (3, 4)), 5) == [0, 1, 3]


def test_rules_that_cannot_be() -> None:
    with pytest.raises(InputError, match="expected an assembly out of .* got 'best'"):
        LimbGrouping("best")
    with pytest.raises(InputError, match="of 1 or more, got 0, 3 and 30"):
        LimbGrouping(samples=0)
