"""Matching over all pairs at once, against COCO's engine and against one pair after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.matching.pairs import (
    Pairs,
    match_greedily,
    most_similar_pairs,
    oks_of_pairs,
    same_image_pairs,
    score_ranks,
)
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17

Make = Callable[..., Annotations]


def scene(make_table: Make, seed: int) -> tuple[Annotations, Predictions]:
    """Six images of people who are alike, and three poses per person with repeated scores."""
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(6), rng.integers(1, 6, 6))
    instances = np.full((len(images), 17, 3), 2.0)
    instances[..., :2] = rng.uniform(0, 60, (6, 17, 2))[images]
    instances[..., :2] += rng.normal(0, 6, (len(images), 17, 2))
    table = make_table(instances, images=images)
    rows = rng.permutation(np.repeat(np.arange(table.num_instances), 3))
    poses = table.keypoints[rows] + rng.normal(0, 6, (len(rows), 17, 2))
    scores = rng.integers(1, 6, len(rows)) / 5
    ids = np.full(len(rows), -1)
    found = Predictions(images[rows], ids, poses, np.ones((len(rows), 17)), scores)
    return table, found


def all_pairs(table: Annotations, found: Predictions) -> Pairs:
    poses = same_image_pairs(
        np.arange(len(found)), found.image_ids, np.arange(table.num_instances), table
    )
    return oks_of_pairs(poses, found, table, COCO17.oks_sigmas)


@pytest.mark.parametrize("seed", range(8))
def test_greedy_matching_equals_the_engine(make_table: Make, seed: int) -> None:
    table, found = scene(make_table, seed)
    pairs = all_pairs(table, found)
    assert len(pairs.pose) == sum(np.diff(table.first_person)[found.image_ids])
    pairs = pairs.take(pairs.oks >= 0.5)
    rank = score_ranks(found.scores, found.image_ids)
    matching = OksEvaluator().match(found, table)
    person = matching.person[0, 0]
    expected = np.full(table.num_instances, -1)
    expected[person[person >= 0]] = matching.row[person >= 0]
    assert (expected >= 0).sum() > 5
    np.testing.assert_array_equal(
        match_greedily(pairs, rank[pairs.pose], table.num_instances), expected
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_most_similar_pairs_are_taken_first(make_table: Make, seed: int) -> None:
    pairs = all_pairs(*scene(make_table, seed))
    left, expected = list(np.argsort(-pairs.oks)), []
    while left:
        best = left[0]
        expected.append(best)
        left = [
            n
            for n in left
            if pairs.pose[n] != pairs.pose[best] and pairs.person[n] != pairs.person[best]
        ]
    np.testing.assert_array_equal(most_similar_pairs(pairs), np.sort(expected))


def test_empty_inputs_match_nothing(make_table: Make) -> None:
    nothing = Pairs(np.empty(0, int), np.empty(0, int), np.empty(0))
    np.testing.assert_array_equal(match_greedily(nothing, np.empty(0, int), 2), [-1, -1])
    assert len(most_similar_pairs(nothing)) == 0
