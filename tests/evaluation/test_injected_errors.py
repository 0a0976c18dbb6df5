"""Errors injected into perfect predictions: all are counted, and correcting them restores AP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.diagnosis import (
    KeypointStatus,
    diagnose,
    error_breakdown,
    error_costs,
)
from poselab.evaluation.diagnosis.costs import CORRECTIONS
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17, LSP14, MPII16
from poselab.structures import Skeleton

Make = Callable[..., Annotations]
Partner = Callable[[int, int], tuple[int, int]]

TWELVE = Skeleton(
    "twelve",
    ("beak", "tail", *(f"{side}_{part}" for part in "abcde" for side in ("left", "right"))),
    (),
    sigmas=tuple(np.linspace(0.03, 0.1, 12).tolist()),
)
SKELETONS = [COCO17, LSP14, MPII16, TWELVE]
AREA = 10_000.0
PEOPLE, PER_IMAGE = 90, 3


class Scene:
    """Perfect poses of people far apart, three an image, into which errors are injected.

    Joints are 80 pixels apart or more, three times the distance at which the largest sigma gives
    similarity 0.5. A joint takes part in at most one error, and a person has at most two wrong
    joints. ``locked`` people have errors of the whole pose.
    """

    def __init__(
        self, make_table: Make, skeleton: Skeleton, seed: int, hidden: float = 0.2
    ) -> None:
        self.rng, self.skeleton = np.random.default_rng(seed), skeleton
        shape = (PEOPLE, len(skeleton))
        instances = np.zeros((*shape, 3))
        instances[..., 0] = 100.0 * np.arange(shape[1]) + self.rng.uniform(-10, 10, shape)
        instances[..., 1] = self.rng.uniform(0, 1000, shape)
        instances[..., 1] += 5000 * (np.arange(PEOPLE) % PER_IMAGE)[:, None]
        instances[..., 2] = self.rng.choice([0, 1, 2], shape, p=[hidden, 0.2, 0.8 - hidden])
        self.images = np.arange(PEOPLE) // PER_IMAGE
        areas = np.full(PEOPLE, AREA)
        self.table = make_table(instances, skeleton, images=self.images, areas=areas)
        self.points, self.free = instances[..., :2].copy(), instances[..., 2] > 0
        self.ground_truth = self.points.copy()
        self.errors, self.locked = np.zeros(PEOPLE, int), np.zeros(PEOPLE, dtype=bool)
        self.kept = np.ones(PEOPLE, dtype=bool)
        self.more: list[tuple[int, Any, float]] = []

    def claim(self, count: int, partner: Partner) -> list[tuple[int, int, int, int]]:
        """Free joints (person, joint) for an error, each with another one that it involves."""
        found: list[tuple[int, int, int, int]] = []
        for site in self.rng.permutation(self.free.size).tolist():
            person, joint = divmod(site, self.free.shape[1])
            other, its = partner(person, joint)
            both_free = self.free[person, joint] and self.free[other, its]
            if not both_free or self.locked[[person, other]].any():
                continue
            if max(self.errors[person], self.errors[other]) < 2 and len(found) < count:
                self.free[person, joint] = self.free[other, its] = False
                self.errors[list({person, other})] += 1
                found.append((person, joint, other, its))
        assert len(found) == count
        return found

    def lock(self, count: int) -> list[int]:
        """People without errors, for an error of the whole pose."""
        whole = np.flatnonzero((self.errors == 0) & ~self.locked)
        instances: list[int] = self.rng.choice(whole, count, replace=False).tolist()
        self.locked[instances] = True
        return instances

    def own(self, person: int, joint: int) -> tuple[int, int]:
        return person, joint

    def flipped(self, person: int, joint: int) -> tuple[int, int]:
        return person, self.skeleton.flip_index[joint]

    def neighbour(self, person: int, joint: int) -> tuple[int, int]:
        return person - person % PER_IMAGE + (person + 1) % PER_IMAGE, joint

    def away(self, similarity: float) -> Any:
        """How far (K,) a joint of that similarity is from its ground truth."""
        return 2 * np.array(self.skeleton.oks_sigmas) * np.sqrt(-2 * np.log(similarity) * AREA)

    def jitter(self, count: int, similarity: float = 0.51) -> None:
        for person, joint, *_ in self.claim(count, self.own):
            angle = self.rng.uniform(0, 2 * np.pi)
            turned = np.array([np.cos(angle), np.sin(angle)])
            self.points[person, joint] += self.away(similarity)[joint] * turned

    def miss(self, count: int) -> None:
        for person, joint, *_ in self.claim(count, self.own):
            self.points[person, joint] += [0, -2500]

    def inversion(self, count: int) -> None:
        sides = [k for k, other in enumerate(self.skeleton.flip_index) if k != other]
        middle = np.setdiff1d(np.arange(len(self.skeleton)), sides)
        hidden = self.free[:, middle].copy()
        self.free[:, middle] = False
        for person, joint, _, other in self.claim(count, self.flipped):
            self.points[person, joint] = self.ground_truth[person, other]
        self.free[:, middle] = hidden

    def swap(self, count: int) -> None:
        for person, joint, other, _ in self.claim(count, self.neighbour):
            self.points[person, joint] = self.ground_truth[other, joint]

    def exchange(self, count: int) -> None:
        """Two swaps each."""
        for person, joint, other, _ in self.claim(count, self.neighbour):
            self.points[person, joint] = self.ground_truth[other, joint]
            self.points[other, joint] = self.ground_truth[person, joint]

    def drop(self, count: int) -> None:
        self.kept[self.lock(count)] = False

    def background(self, count: int, score: float = 0.9) -> None:
        for _ in range(count):
            pose = self.rng.uniform(20_000, 30_000, self.points.shape[1:])
            self.more.append((int(self.rng.choice(self.images)), pose, score))

    def overtake(self, count: int) -> int:
        """Duplicates with higher scores, all joints jitters of similarity 0.6; returns how many."""
        instances = self.lock(count)
        for person in instances:
            pose = self.points[person] + self.away(0.6)[:, None] * [1, 0]
            self.more.append((int(self.images[person]), pose, 0.9))
        return int((self.table.visibility[instances] > 0).sum())

    def predictions(self) -> Predictions:
        """The poses in any order."""
        images = [*self.images[self.kept], *(image for image, _, _ in self.more)]
        poses = np.array([*self.points[self.kept], *(pose for _, pose, _ in self.more)])
        scores = [*self.rng.uniform(0.3, 0.6, self.kept.sum()), *(score for *_, score in self.more)]
        order = self.rng.permutation(len(poses))
        columns = np.array(images)[order], np.full(len(order), -1), poses[order]
        return Predictions(*columns, np.ones(poses.shape[:2]), np.array(scores)[order])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_all_errors_together_are_counted(make_table: Make, skeleton: Skeleton, seed: int) -> None:
    scene = Scene(make_table, skeleton, seed)
    scene.drop(4)
    jitters = scene.overtake(3)
    scene.jitter(23)
    scene.miss(7)
    scene.inversion(11)
    scene.swap(9)
    scene.exchange(5)
    scene.background(6)
    predictions = scene.predictions()
    diagnosis = diagnose(predictions, scene.table)
    totals = diagnosis.counts_by_joint().sum(axis=0).tolist()
    counted = dict(zip(KeypointStatus, totals, strict=True))
    good = counted.pop(KeypointStatus.GOOD)
    assert counted == {"jitter": 23 + jitters, "inversion": 11, "swap": 19, "miss": 7}
    matched = scene.table.visibility[~diagnosis.false_negatives] > 0
    assert good == matched.sum() - sum(counted.values())
    costs = error_costs(predictions, scene.table, diagnosis, OksEvaluator())
    others = {"score": 3, "background false positive": 6, "false negative": 4, "grouping": 10}
    assert {c.error: c.count for c in costs} == {str(e): n for e, n in counted.items()} | others
    assert len(diagnosis.duplicates) == 3
    for rows in error_breakdown(diagnosis, scene.table).values():
        for error in KeypointStatus:
            in_bins = sum(row.count for row in rows if row.error == error)
            assert in_bins == diagnosis.has_status(error).sum()


def one_error(scene: Scene, error: str) -> None:
    """As many errors of one type as it takes to cost AP."""
    if error == "jitter":  # one alone would hardly show
        scene.jitter(2 * PEOPLE)
    elif error == "score":
        scene.overtake(20)
    else:
        put = {"miss": scene.miss, "swap": scene.swap, "inversion": scene.inversion}
        put |= {"background false positive": scene.background, "false negative": scene.drop}
        (put | {"grouping": scene.exchange})[error](20)


@pytest.mark.parametrize("skeleton", [COCO17, LSP14, TWELVE], ids=lambda s: s.name)
@pytest.mark.parametrize("error", CORRECTIONS)
def test_correcting_the_only_error_restores_ap(
    make_table: Make, skeleton: Skeleton, error: str
) -> None:
    """With all joints labelled a corrected miss or jitter leaves an OKS over 0.95."""
    scene = Scene(make_table, skeleton, 5, hidden=0.0)
    if error == "miss":
        scene.errors += 1  # one each
    one_error(scene, str(error))
    predictions = scene.predictions()
    before = OksEvaluator()(predictions, scene.table).values["AP"]
    diagnosis = diagnose(predictions, scene.table)
    done = {c.error: c for c in error_costs(predictions, scene.table, diagnosis, OksEvaluator())}
    assert before < 0.99
    assert done[error].ap == pytest.approx(1.0, abs=1e-9)
    for cost in done.values():
        assert cost.gain == pytest.approx(cost.ap - before, abs=1e-9)
        assert cost.gain >= 0
        if cost.count == 0 and cost.error != "score":
            assert cost.gain == 0


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_perfect_predictions_have_nothing_to_gain(make_table: Make, skeleton: Skeleton) -> None:
    scene = Scene(make_table, skeleton, 0)
    predictions = scene.predictions()
    diagnosis = diagnose(predictions, scene.table)
    assert diagnosis.shares().tolist() == [1, 0, 0, 0, 0]
    done = error_costs(predictions, scene.table, diagnosis, OksEvaluator())
    assert {(cost.count, round(cost.ap, 9), round(cost.gain, 9)) for cost in done} == {
        (0, 1.0, 0.0)
    }


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (KeypointStatus.MISS, KeypointStatus.JITTER),
        *(
            (k, KeypointStatus.GOOD)
            for k in (KeypointStatus.JITTER, KeypointStatus.INVERSION, KeypointStatus.SWAP)
        ),
    ],
)
def test_what_corrected_joints_become(
    make_table: Make, error: KeypointStatus, left: KeypointStatus
) -> None:
    """The least correction: a miss becomes a jitter, others good, and no other joint moves."""
    scene = Scene(make_table, COCO17, 1)
    scene.miss(12)
    scene.jitter(12)
    scene.inversion(12)
    scene.swap(12)
    predictions = scene.predictions()
    before = diagnose(predictions, scene.table)
    moved = CORRECTIONS[error](predictions, scene.table, before).moved
    assert moved is not None
    rows, poses = moved
    keypoints = predictions.keypoints.copy()
    keypoints[rows] = poses
    after = diagnose(replace(predictions, keypoints=keypoints), scene.table)
    expected = np.where(before.has_status(error), left.code, before.status)
    np.testing.assert_array_equal(after.status, expected)
    assert (keypoints != predictions.keypoints).any(axis=-1).sum() == 12


def test_few_pairs_at_a_time_give_the_same(
    make_table: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(make_table, COCO17, 2)
    scene.overtake(5)
    scene.swap(20)
    scene.exchange(20)
    predictions = scene.predictions()
    whole = diagnose(predictions, scene.table)
    monkeypatch.setattr("poselab.evaluation.matching.pairs.JOINTS_AT_ONCE", 50)
    part = diagnose(predictions, scene.table)
    for one, other in zip(whole.keypoints, part.keypoints, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.optimal_scores, part.optimal_scores)
