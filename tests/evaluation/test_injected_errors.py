"""Errors put into perfect predictions: as many of each are found again, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from poselab.annotations import Annotations
from poselab.evaluation.diagnosis.costs import CORRECTIONS
from poselab.evaluation.diagnosis.diagnosis import Kind, breakdown, costs, diagnose
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
PEOPLE, A_IMAGE = 90, 3


class Scene:
    """Perfect poses of people far apart, three an image, into which errors are put.

    Joints are 80 pixels apart or more, three times as far as the widest falloff reaches at
    similarity 0.5. A joint takes part in one error at most, and a person has two wrong ones at
    most. ``locked`` people have errors of their own.
    """

    def __init__(
        self, make_table: Make, skeleton: Skeleton, seed: int, hidden: float = 0.2
    ) -> None:
        self.rng, self.skeleton = np.random.default_rng(seed), skeleton
        shape = (PEOPLE, len(skeleton))
        instances = np.zeros((*shape, 3))
        instances[..., 0] = 100.0 * np.arange(shape[1]) + self.rng.uniform(-10, 10, shape)
        instances[..., 1] = self.rng.uniform(0, 1000, shape)
        instances[..., 1] += 5000 * (np.arange(PEOPLE) % A_IMAGE)[:, None]
        instances[..., 2] = self.rng.choice([0, 1, 2], shape, p=[hidden, 0.2, 0.8 - hidden])
        self.images = np.arange(PEOPLE) // A_IMAGE
        areas = np.full(PEOPLE, AREA)
        self.table = make_table(instances, skeleton, images=self.images, areas=areas)
        self.points, self.free = instances[..., :2].copy(), instances[..., 2] > 0
        self.ground_truth = self.points.copy()
        self.errors, self.locked = np.zeros(PEOPLE, int), np.zeros(PEOPLE, dtype=bool)
        self.kept = np.ones(PEOPLE, dtype=bool)
        self.more: list[tuple[int, Any, float]] = []

    def claim(self, count: int, partner: Partner) -> list[tuple[int, int, int, int]]:
        """Joints to put an error into (person, joint), each with another one that it concerns."""
        found: list[tuple[int, int, int, int]] = []
        for site in self.rng.permutation(self.free.size).tolist():
            person, joint = divmod(site, self.free.shape[1])
            other, its = partner(person, joint)
            loss_mask = self.free[person, joint] and self.free[other, its]
            if not loss_mask or self.locked[[person, other]].any():
                continue
            if max(self.errors[person], self.errors[other]) < 2 and len(found) < count:
                self.free[person, joint] = self.free[other, its] = False
                self.errors[list({person, other})] += 1
                found.append((person, joint, other, its))
        assert len(found) == count
        return found

    def lock(self, count: int) -> list[int]:
        """People without errors that get one of their own."""
        whole = np.flatnonzero((self.errors == 0) & ~self.locked)
        instances: list[int] = self.rng.choice(whole, count, replace=False).tolist()
        self.locked[instances] = True
        return instances

    def own(self, person: int, joint: int) -> tuple[int, int]:
        return person, joint

    def flipped(self, person: int, joint: int) -> tuple[int, int]:
        return person, self.skeleton.flip_index[joint]

    def neighbour(self, person: int, joint: int) -> tuple[int, int]:
        return person - person % A_IMAGE + (person + 1) % A_IMAGE, joint

    def away(self, similarity: float) -> Any:
        """How far (K,) a joint of that similarity is from its label."""
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
        """Surer doubles with every joint at similarity 0.6, which are jitters; how many joints."""
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
    found = scene.predictions()
    diagnosis = diagnose(found, scene.table)
    counted = dict(zip(Kind, diagnosis.counts_by_joint().sum(axis=0).tolist(), strict=True))
    good = counted.pop(Kind.GOOD)
    assert counted == {"jitter": 23 + jitters, "inversion": 11, "swap": 19, "miss": 7}
    assert good == (scene.table.visibility[~diagnosis.missed] > 0).sum() - sum(counted.values())
    by_kind = {c.kind: c.count for c in costs(found, scene.table, diagnosis, OksEvaluator())}
    instances = {"score": 3, "background": 6, "false negative": 4, "grouping": 10}
    assert by_kind == {str(kind): count for kind, count in counted.items()} | instances
    assert len(diagnosis.doubles) == 3
    for rows in breakdown(diagnosis, scene.table).values():
        for kind in Kind:
            in_bins = sum(row.count for row in rows if row.kind == kind)
            assert in_bins == diagnosis.is_kind(kind).sum()


def one_error(scene: Scene, kind: str) -> None:
    """So many errors of a kind that they cost AP."""
    if kind == "jitter":  # one alone would hardly show
        scene.jitter(2 * PEOPLE)
    elif kind == "score":
        scene.overtake(20)
    else:
        put = {"miss": scene.miss, "swap": scene.swap, "inversion": scene.inversion}
        put |= {"background": scene.background, "false negative": scene.drop}
        (put | {"grouping": scene.exchange})[kind](20)


@pytest.mark.parametrize("skeleton", [COCO17, LSP14, TWELVE], ids=lambda s: s.name)
@pytest.mark.parametrize("kind", CORRECTIONS)
def test_correcting_the_only_kind_of_error_leaves_none(
    make_table: Make, skeleton: Skeleton, kind: str
) -> None:
    """With all joints labelled a corrected miss or jitter leaves an OKS over 0.95."""
    scene = Scene(make_table, skeleton, 5, hidden=0.0)
    if kind == "miss":
        scene.errors += 1  # one each
    one_error(scene, str(kind))
    found = scene.predictions()
    before = OksEvaluator()(found, scene.table).values["AP"]
    diagnosis = diagnose(found, scene.table)
    done = {c.kind: c for c in costs(found, scene.table, diagnosis, OksEvaluator())}
    assert before < 0.99
    assert done[kind].ap == pytest.approx(1.0, abs=1e-9)
    for cost in done.values():
        assert cost.gain == pytest.approx(cost.ap - before, abs=1e-9)
        assert cost.gain >= 0
        if cost.count == 0 and cost.kind != "score":
            assert cost.gain == 0


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_perfect_predictions_have_nothing_to_gain(make_table: Make, skeleton: Skeleton) -> None:
    scene = Scene(make_table, skeleton, 0)
    found = scene.predictions()
    diagnosis = diagnose(found, scene.table)
    assert diagnosis.shares().tolist() == [1, 0, 0, 0, 0]
    done = costs(found, scene.table, diagnosis, OksEvaluator())
    assert {(cost.count, round(cost.ap, 9), round(cost.gain, 9)) for cost in done} == {
        (0, 1.0, 0.0)
    }


@pytest.mark.parametrize(
    ("kind", "left"),
    [(Kind.MISS, Kind.JITTER), *((k, Kind.GOOD) for k in (Kind.JITTER, Kind.INVERSION, Kind.SWAP))],
)
def test_what_corrected_joints_become(make_table: Make, kind: Kind, left: Kind) -> None:
    """The least correction: a miss becomes a jitter, others good, and no other joint moves."""
    scene = Scene(make_table, COCO17, 1)
    scene.miss(12)
    scene.jitter(12)
    scene.inversion(12)
    scene.swap(12)
    found = scene.predictions()
    before = diagnose(found, scene.table)
    corrected, table = CORRECTIONS[kind](found, scene.table, before)
    assert table is scene.table
    after = diagnose(corrected, table)
    expected = np.where(before.is_kind(kind), left.code, before.joint)
    np.testing.assert_array_equal(after.joint, expected)
    assert (corrected.keypoints != found.keypoints).any(axis=-1).sum() == 12


def test_few_pairs_at_a_time_give_the_same(
    make_table: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(make_table, COCO17, 2)
    scene.overtake(5)
    scene.swap(20)
    scene.exchange(20)
    found = scene.predictions()
    whole = diagnose(found, scene.table)
    monkeypatch.setattr("poselab.evaluation.matching.pairs.JOINTS_AT_ONCE", 50)
    part = diagnose(found, scene.table)
    for one, other in zip(whole.joints, part.joints, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.optimal, part.optimal)
