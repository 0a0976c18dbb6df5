"""Grouping joints into people by tags."""

from __future__ import annotations

import numpy as np
import pytest

from poselab.grouping.tags import TagGrouping, group, joint_order
from poselab.skeletons import COCO17, SKELETONS
from poselab.structures import InputError

RULES = TagGrouping()


def test_joints_are_grouped_from_head_and_torso_outwards() -> None:
    """For COCO this is the order of Newell's code (pose-ae-train, utils/group.py), from one."""
    authors = [1, 2, 3, 4, 5, 6, 7, 12, 13, 8, 9, 10, 11, 14, 15, 16, 17]
    assert [k + 1 for k in joint_order(COCO17)] == authors
    for skeleton in SKELETONS.values():
        assert sorted(joint_order(skeleton)) == list(range(len(skeleton)))


def test_two_people_by_hand() -> None:
    """Joint 0 starts people at tags 0 and 5; joint 1 meets them in the other order; a third tag
    founds a new person; what scores too little is nobody's."""
    scores = np.array([[0.9, 0.8, 0.05], [0.7, 0.6, 0.5]])
    tags = np.array([[0.0, 5.0, 9.0], [5.2, 0.3, 20.0]])[..., None]
    assert group(scores, tags, (0, 1), RULES).tolist() == [[0, 1], [1, 0], [-1, 2]]


def test_candidates_for_one_person_are_chosen_by_score() -> None:
    """Both candidates lie within half a tag of the one person, so the better one gets it."""
    scores = np.array([[0.9, 0.0], [0.5, 0.8]])
    tags = np.array([[0.0, 50.0], [0.1, 0.4]])[..., None]
    instances = group(scores, tags, (0, 1), RULES)
    assert [0, 1] in instances.tolist()
    assert [-1, 0] in instances.tolist()


def test_assignment_is_globally_best_not_greedy() -> None:
    """Greedy would give candidate 0 (tag 2) to the person at 2.6 and strand candidate 1 (tag 4)."""
    scores = np.array([[0.9, 0.8], [0.9, 0.8]])
    tags = np.array([[0.0, 2.6], [2.0, 4.0]])[..., None]
    rules = TagGrouping(tag_threshold=2.5)
    assert sorted(group(scores, tags, (0, 1), rules).tolist()) == [[0, 0], [1, 1]]


def test_distance_is_over_all_tags_of_a_joint() -> None:
    """With two tags, as a flip test gives, (0, 3) is too far from (0, 0)."""
    scores = np.array([[0.9], [0.8]])
    near, far = (np.array([[[0.0, 0.0]], [[0.0, other]]]) for other in (0.3, 3.0))
    assert len(group(scores, near, (0, 1), RULES)) == 1
    assert len(group(scores, far, (0, 1), RULES)) == 2


def test_people_are_limited_to_the_best() -> None:
    scores = np.array([[0.3, 0.9, 0.6]])
    tags = np.array([[0.0, 10.0, 20.0]])[..., None]
    assert group(scores, tags, (0,), TagGrouping(max_instances=2)).tolist() == [[1], [2]]


def test_the_best_people_are_those_of_the_highest_mean_over_all_joints() -> None:
    """Three joints of 0.5 before one of 0.9, as poses are scored."""
    scores = np.array([[0.9, 0.5], [0.5, 0.0], [0.5, 0.0]])
    tags = np.array([[0.0, 10.0], [10.0, 0.0], [10.0, 0.0]])[..., None]
    expected = [[1, 0, 0], [0, -1, -1]]
    assert group(scores, tags, (0, 1, 2), TagGrouping(max_instances=2)).tolist() == expected


def test_no_poses() -> None:
    assert group(np.zeros((3, 4)), np.zeros((3, 4, 1)), (0, 1, 2), RULES).shape == (0, 3)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_candidates_does_not_matter(seed: int) -> None:
    """Shuffled candidates make the same people, named by where their candidates went."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.05, 1.0, (17, 12))
    tags = random.normal(0, 6, (17, 12, 1))
    shuffle = np.stack([random.permutation(12) for _ in range(17)])
    straight = group(scores, tags, joint_order(COCO17), RULES)
    shuffled = group(
        np.take_along_axis(scores, shuffle, 1),
        np.take_along_axis(tags, shuffle[..., None], 1),
        joint_order(COCO17),
        RULES,
    )
    named = np.where(shuffled >= 0, shuffle[np.arange(17), shuffled], -1)
    assert named.tolist() == straight.tolist()


def test_bad_rules_raise() -> None:
    with pytest.raises(InputError, match="expected max_instances"):
        TagGrouping(max_instances=0)
