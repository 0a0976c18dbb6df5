"""Keypoint errors, and which pose is matched to which instance, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.diagnosis import (
    UNKNOWN,
    KeypointStatus,
    diagnose,
    error_breakdown,
    error_costs,
)
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.structures import InputError, Skeleton

Make = Callable[..., Annotations]
Predict = Callable[..., Predictions]

# similarity is exp(-d² / 200) with the area 10,000 of the tables
FOUR = Skeleton("four", ("nose", "left_hand", "right_hand", "foot"), (), sigmas=(0.05,) * 4)
FIRST = np.array([[100, 100], [200, 100], [300, 100], [400, 100]])
SECOND = FIRST + np.array([0, 500])
GOOD, JITTER, INVERSION, SWAP, MISS = (status.code for status in KeypointStatus)


def person(points: Any, visibility: Any = 2) -> np.ndarray[Any, Any]:
    return np.concatenate([points, np.broadcast_to(visibility, 4)[:, None]], axis=1)


def poses(points: Any, scores: Any, images: Any = 0) -> Predictions:
    points = np.asarray(points, dtype=float)
    image_ids = np.broadcast_to(images, len(points)).astype(int)
    ids = np.full(len(points), -1)
    return Predictions(image_ids, ids, points, np.ones(points.shape[:2]), np.array(scores, float))


def moved(points: Any, *offsets: tuple[int, float, float]) -> Any:
    points = np.array(points, dtype=float)
    for joint, x, y in offsets:
        points[joint] += [x, y]
    return points


@pytest.fixture
def pair(make_table: Make) -> Annotations:
    """Two people in an image, the foot of the first one not labelled."""
    return make_table([person(FIRST, [2, 2, 1, 0]), person(SECOND)], FOUR, images=[0, 0])


def test_codes_are_stable() -> None:
    """Reports store the codes."""
    codes = {"good": 0, "jitter": 1, "inversion": 2, "swap": 3, "miss": 4}
    assert {str(status): status.code for status in KeypointStatus} == codes


def test_statuses_by_hand(pair: Annotations) -> None:
    first = moved(FIRST, (0, 5, 0), (1, 0, 10), (2, -103, 0), (3, 900, 0))
    second = moved(SECOND, (0, 20, 0), (1, 0, -497), (2, -101, -500), (3, 0, 0))
    diagnosis = diagnose(poses([second, first], [0.5, 0.9]), pair)
    np.testing.assert_array_equal(diagnosis.pose_of, [1, 0])
    expected = [[GOOD, JITTER, INVERSION, UNKNOWN], [MISS, SWAP, SWAP, GOOD]]
    np.testing.assert_array_equal(diagnosis.status, expected)
    assert diagnosis.status.dtype == np.uint8
    own = np.exp(-np.square([5, 10]) / 200)
    np.testing.assert_allclose(diagnosis.keypoints.best_similarity[0, :2], own)
    np.testing.assert_allclose(diagnosis.keypoints.best_similarity[1, 1], np.exp(-(3**2) / 200))
    np.testing.assert_allclose(diagnosis.oks, [own.sum() / 3, (1 + np.exp(-2)) / 4], atol=1e-9)
    expected_counts = [[1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 0]]
    np.testing.assert_array_equal(diagnosis.counts_by_joint(), expected_counts)
    np.testing.assert_allclose(diagnosis.shares(), np.array([2, 1, 1, 2, 1]) / 7)


@pytest.mark.parametrize(
    ("similarity", "status"),
    [
        (0.86, KeypointStatus.GOOD),
        (0.84, KeypointStatus.JITTER),
        (0.51, KeypointStatus.JITTER),
        (0.49, KeypointStatus.MISS),
    ],
)
def test_similarity_thresholds(
    pair: Annotations, similarity: float, status: KeypointStatus
) -> None:
    away = np.sqrt(-200 * np.log(similarity))
    diagnosis = diagnose(poses([moved(FIRST, (0, 0, away)), SECOND], [1, 1]), pair)
    assert diagnosis.status[0, 0] == status.code


def test_the_most_similar_keypoint_decides(make_table: Make) -> None:
    """Between both hands, 12 pixels apart and both near, the more similar one decides."""
    close = np.array([[100, 100], [200, 100], [212, 100], [400, 100]])
    table = make_table([person(close)], FOUR)
    for x, status in ((205, KeypointStatus.GOOD), (207, KeypointStatus.INVERSION)):
        pose = close.copy()
        pose[1, 0] = x
        assert diagnose(poses([pose], [1]), table).status[0, 1] == status.code


def test_sigmas_are_those_of_the_predicted_keypoint(make_table: Make) -> None:
    """A left hand 15 pixels from the right one: near by its own sigma, not by the other's."""
    table = make_table([person(FIRST)], FOUR)
    pose = moved(FIRST, (1, 100, 15))
    for sigmas, status in (
        ((0.1, 0.1, 0.05, 0.1), KeypointStatus.INVERSION),
        ((0.1, 0.05, 0.1, 0.1), KeypointStatus.MISS),
    ):
        diagnosis = diagnose(poses([pose], [1]), table, sigmas=sigmas)
        assert diagnosis.status[0, 1] == status.code


def test_grouping_errors_need_the_keypoint_in_a_wrong_pose(pair: Annotations) -> None:
    """Exchanged noses are grouping errors; one nose used twice is a swap and nothing else."""
    first, second = FIRST.astype(float), SECOND.astype(float)
    exchanged = poses([moved(first, (0, 0, 500)), moved(second, (0, 0, -500))], [1, 1])
    diagnosis = diagnose(exchanged, pair)
    np.testing.assert_array_equal(diagnosis.status[:, 0], SWAP)
    np.testing.assert_array_equal(diagnosis.keypoints.grouped_into[:, 0], [1, 0])
    assert diagnosis.grouping_errors.sum() == 2
    twice = diagnose(poses([moved(first, (0, 0, 500)), second], [1, 1]), pair)
    np.testing.assert_array_equal(twice.status[:, 0], [SWAP, GOOD])
    assert twice.grouping_errors.sum() == 0


def test_a_keypoint_that_fits_two_instances_stays_with_its_own(
    make_table: Make,
) -> None:
    """Noses 8 pixels apart: the second pose's own nose is near the first person's as well."""
    below = moved(SECOND, (0, 8, -500))
    table = make_table([person(FIRST), person(below)], FOUR, images=[0, 0])
    lost = moved(FIRST, (0, 0, 900))
    diagnosis = diagnose(poses([lost, below], [1, 1]), table)
    np.testing.assert_array_equal(diagnosis.status[:, 0], [MISS, GOOD])
    assert diagnosis.grouping_errors.sum() == 0
    given = diagnose(poses([lost, moved(below, (0, -13, 0))], [1, 1]), table)
    np.testing.assert_array_equal(given.status[:, 0], [MISS, SWAP])
    np.testing.assert_array_equal(given.keypoints.grouped_into[:, 0], [1, -1])


def test_fragments_are_grouping_errors_and_duplicates_are_not(pair: Annotations) -> None:
    far = [[9000.0, 0]] * 2
    upper, lower = np.concatenate([FIRST[:2], far]), np.concatenate([far, FIRST[2:]])
    torn = diagnose(poses([upper, lower, SECOND], [1, 0.5, 1]), pair)
    np.testing.assert_array_equal(torn.status[0], [GOOD, GOOD, MISS, UNKNOWN])
    np.testing.assert_array_equal(torn.keypoints.grouped_into[0], [-1, -1, 1, -1])
    duplicated = diagnose(poses([upper, FIRST, SECOND], [1, 0.5, 1]), pair)
    np.testing.assert_array_equal(duplicated.status, torn.status)
    assert duplicated.grouping_errors.sum() == 0
    np.testing.assert_array_equal(duplicated.duplicates, [1])
    assert duplicated.score_errors.tolist() == [True, False]


def test_unmatched_instances_and_poses(pair: Annotations) -> None:
    predictions = poses([FIRST + 7000, FIRST, FIRST + 3], [1, 0.9, 0.8])
    diagnosis = diagnose(predictions, pair)
    np.testing.assert_array_equal(diagnosis.pose_of, [1, -1])
    np.testing.assert_array_equal(diagnosis.false_negatives, [False, True])
    np.testing.assert_array_equal(diagnosis.background, [0])
    np.testing.assert_array_equal(diagnosis.duplicates, [2])
    np.testing.assert_array_equal(diagnosis.oks, [1, 0])
    np.testing.assert_array_equal(diagnosis.status[1], UNKNOWN)
    assert not diagnosis.score_errors.any()
    rank = np.argsort(-diagnosis.optimal_scores)
    np.testing.assert_array_equal(rank, [1, 2, 0])


def test_poses_on_crowds_and_unlabelled_people_are_ignored(make_table: Make) -> None:
    """A pose inside the box of a crowd, made three times as large, is no background."""
    unlabelled = person(SECOND, 0)
    boxes = [[100, 100, 300, 10], [100, 600, 300, 10], [5000, 5000, 100, 100]]
    instances = [person(FIRST), unlabelled, unlabelled]
    for crowd in ([False, True, False], [False, False, False]):
        table = make_table(instances, FOUR, images=[0, 0, 0], boxes=boxes, crowd=crowd)
        inside = np.full((4, 2), 5150.0)
        diagnosis = diagnose(poses([FIRST, SECOND, inside, SECOND + 9999], [1, 1, 1, 1]), table)
        np.testing.assert_array_equal(diagnosis.background, [3])
        np.testing.assert_array_equal(diagnosis.scored, [True, False, False])
        np.testing.assert_array_equal(np.isnan(diagnosis.oks), [False, True, True])
        assert not diagnosis.false_negatives.any()


def test_only_chosen_images_and_the_best_poses(make_table: Make, predict: Predict) -> None:
    table = make_table([person(FIRST), person(SECOND)], FOUR)
    predictions = predict(table)
    part = diagnose(predictions, table, image_ids=[1])
    np.testing.assert_array_equal(part.pose_of, [-1, 1])
    np.testing.assert_array_equal(part.false_negatives, [False, False])
    assert len(part.background) == 0
    many = poses([FIRST + 9000] * 20 + [FIRST], np.linspace(1, 0.5, 21))
    cut = diagnose(many, table)
    assert (cut.false_negatives.sum(), len(cut.background)) == (2, 20)
    score = next(c for c in error_costs(many, table, cut, OksEvaluator()) if c.error == "score")
    assert score.count == 0
    assert score.gain == pytest.approx(0.5, abs=0.01)  # of two people


def test_no_predictions(pair: Annotations) -> None:
    nothing = Predictions(
        np.empty(0, int), np.empty(0, int), np.empty((0, 0, 2)), np.empty((0, 0)), np.empty(0)
    )
    diagnosis = diagnose(nothing, pair)
    assert diagnosis.false_negatives.all()
    assert np.isnan(diagnosis.shares()).all()
    costs = {cost.error: cost for cost in error_costs(nothing, pair, diagnosis, OksEvaluator())}
    assert costs["false negative"].count == 2
    assert costs["miss"] == ("miss", 0, 0.0, 0.0)


def test_mismatched_arguments_raise(pair: Annotations) -> None:
    with pytest.raises(InputError, match="expected 4 sigmas"):
        diagnose(poses([FIRST], [1]), pair, sigmas=[0.1])
    with pytest.raises(InputError, match="expected 4 keypoints"):
        diagnose(poses([FIRST[:2]], [1]), pair)
    with pytest.raises(InputError, match="expected image ids"):
        diagnose(poses([FIRST], [1], images=3), pair)
    with pytest.raises(InputError, match="expected image ids"):
        diagnose(poses([FIRST], [1]), pair, image_ids=[3])


def test_breakdown_by_hand(make_table: Make) -> None:
    """A small lone person with a miss, a large one with a swap, and an unmatched neighbour."""
    far, near = person(FIRST, [2, 2, 1, 0]), person(SECOND, [2, 2, 2, 1])
    instances = [far, near, person(SECOND + np.array([20, 50]))]
    table = make_table(
        instances,
        FOUR,
        images=[0, 1, 1],
        areas=[900.0, 10_000.0, 5000.0],
        boxes=[[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 4]],
    )
    predictions = poses([moved(FIRST, (2, 80, 0)), moved(SECOND, (3, 20, 50))], [1, 1], [0, 1])
    rows = error_breakdown(diagnose(predictions, table), table)
    every = [row for group in rows.values() for row in group]
    counted = {(row.group, row.bin, row.error): (row.count, row.share) for row in every}
    assert counted["joint", "right_hand", "miss"] == (1, 0.5)
    assert counted["joint", "foot", "swap"] == (1, 1.0)
    assert counted["size", "small", "miss"] == (1, 1 / 3)
    assert counted["size", "large", "swap"] == (1, 0.25)
    assert counted["size", "medium", "false negative"] == (1, 1.0)
    assert np.isnan(counted["size", "medium", "good"][1])
    assert counted["crowding", "0", "good"] == (2, 2 / 3)
    assert counted["crowding", "0.3 to 0.5", "swap"] == (1, 0.25)
    assert counted["crowding", "0.3 to 0.5", "false negative"] == (1, 0.5)
    assert counted["visibility", "occluded", "good"] == (0, 0.0)
    assert counted["visibility", "visible", "good"] == (5, 1.0)
    assert list(rows) == ["joint", "size", "crowding", "visibility"]
