"""Ways of suppressing repeated poses, against hand-computed cases and the authors' definitions."""

from __future__ import annotations

import numpy as np
import pytest

from poselab.grouping.oks_nms import oks_nms
from poselab.grouping.pose_nms import (
    ScoredPoses,
    by_box,
    by_keypoint_distance,
    by_oks,
    by_soft_oks,
)
from poselab.skeletons import COCO17


def crowd(seed: int = 0) -> ScoredPoses:
    """Eight people, six noisy poses of each, some noisier."""
    random = np.random.default_rng(seed)
    instances = random.uniform(0, 300, (8, 17, 2))
    noise = random.normal(0, 1, (48, 17, 2)) * random.choice([2.0, 12.0], (48, 1, 1))
    keypoints = np.repeat(instances, 6, axis=0) + noise
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    return ScoredPoses(
        keypoints=keypoints,
        scores=random.permutation(48) / 48,
        boxes=np.concatenate([low, high - low], axis=1),
        areas=random.uniform(3e3, 2e4, 48),
        oks_sigmas=np.array(COCO17.oks_sigmas),
    )


def on_a_line(*places: float) -> ScoredPoses:
    """One keypoint each, sigma 0.5, area 2: OKS is exp(-d²/4)."""
    count = len(places)
    keypoints = np.array([[[place, 0.0]] for place in places])
    boxes = np.array([[place, 0.0, 4.0, 1.0] for place in places])
    return ScoredPoses(keypoints, np.zeros(count), boxes, np.full(count, 2.0), np.array([0.5]))


def test_soft_oks_by_hand() -> None:
    """Neighbours one apart have OKS exp(-1/4), ends exp(-1): squares exp(-1/2) and exp(-2)."""
    poses = on_a_line(0.0, 1.0, 2.0)._replace(scores=np.array([0.9, 0.8, 0.7]))
    rows, scores = by_soft_oks(poses, 0.5)
    second = 0.7 * np.exp(-np.exp(-2.0) / 0.5)
    third = 0.8 * np.exp(-np.exp(-0.5) / 0.5) * np.exp(-np.exp(-0.5) / 0.5)
    assert rows.tolist() == [0, 2, 1]  # the far one overtakes the near one
    assert scores == pytest.approx([0.9, second, third], rel=1e-12)


def test_soft_oks_selects_as_the_authors_do() -> None:
    """Their walk: take the first, decay the rest by exp(-OKS²/threshold), sort again."""
    poses, threshold = crowd(), 0.9
    order = np.argsort(-poses.scores)
    scores, picked = poses.scores[order], []
    while len(order):
        best = order[0]
        picked.append(best)
        squared = ((poses.keypoints[order[1:]] - poses.keypoints[best]) ** 2).sum(axis=-1)
        shared = (poses.areas[order[1:]] + poses.areas[best])[:, None] / 2
        oks = np.exp(-squared / (2 * (2 * poses.oks_sigmas) ** 2 * shared)).mean(axis=1)
        scores = scores[1:] * np.exp(-(oks**2) / threshold)
        again = np.argsort(-scores)
        order, scores = order[1:][again], scores[again]
    rows, kept = by_soft_oks(poses, threshold)
    assert rows.tolist() == picked[: len(rows)]
    assert len(rows) >= 40
    assert (np.diff(kept) <= 0).all()


def test_soft_oks_drops_poses_without_score() -> None:
    poses = on_a_line(0.0, 0.0)._replace(scores=np.array([0.9, 0.8]))
    assert by_soft_oks(poses, 0.1).rows.tolist() == [0]  # 0.8 · exp(-10) is below 0.001


def test_box_nms_by_hand() -> None:
    """Boxes four wide: shifted by one they share 3 of 5, by two 2 of 6."""
    poses = on_a_line(0.0, 1.0, 2.0)._replace(scores=np.array([0.9, 0.8, 0.7]))
    assert by_box(poses, 0.61).rows.tolist() == [0, 1, 2]
    assert by_box(poses, 0.59).rows.tolist() == [0, 2]  # the second cannot take the third along
    assert by_box(poses, 0.3).rows.tolist() == [0]


def test_box_nms_is_torchvisions() -> None:
    import torch
    from torchvision.ops import nms

    poses = crowd(1)
    corners = np.concatenate([poses.boxes[:, :2], poses.boxes[:, :2] + poses.boxes[:, 2:]], 1)
    theirs = nms(torch.tensor(corners), torch.tensor(poses.scores), 0.8)
    assert by_box(poses, 0.8).rows.tolist() == theirs.tolist()
    assert len(theirs) < 48


def test_oks_is_the_function_that_it_names() -> None:
    poses = crowd()
    theirs = oks_nms(poses.keypoints, poses.scores, poses.areas, poses.oks_sigmas, 0.7)
    rows, scores = by_oks(poses, 0.7)
    assert rows.tolist() == theirs.tolist()
    assert scores.tolist() == poses.scores[theirs].tolist()


def test_keypoint_distance_by_hand() -> None:
    """A pose 10 high, threshold 0.1: near is below 1 px; three of four joints are most of them."""
    one = np.array([[0.0, 0.0], [0.0, 10.0], [0.0, 5.0], [0.0, 2.0]])
    three = one + np.array([[0.5, 0.0], [0.5, 0.0], [0.5, 0.0], [3.0, 0.0]])
    two = one + np.array([[0.5, 0.0], [0.5, 0.0], [3.0, 0.0], [3.0, 0.0]])

    def kept(other: np.ndarray, scores: list[float]) -> list[int]:
        keypoints = np.stack([one, other])
        poses = ScoredPoses(keypoints, np.array(scores), np.zeros((2, 4)), np.ones(2), np.ones(4))
        return by_keypoint_distance(poses, 0.1).rows.tolist()

    assert kept(three, [0.9, 0.8]) == [0]
    assert kept(three, [0.8, 0.9]) == [1]
    assert kept(two, [0.9, 0.8]) == [0, 1]


@pytest.mark.parametrize("threshold", [0.03, 0.05, 0.3])
def test_keypoint_distance_is_dekrs_definition(threshold: float) -> None:
    poses = crowd(2)
    keypoints, scores = poses.keypoints, poses.scores
    near = np.zeros((48, 48), dtype=bool)
    for i in range(48):
        reach = threshold * np.linalg.norm(keypoints[i].max(axis=0) - keypoints[i].min(axis=0))
        for j in range(48):
            close = np.linalg.norm(keypoints[i] - keypoints[j], axis=1) < reach
            near[i, j] = close.sum() > 17 // 2
    ignored: set[int] = set()
    kept = []
    for i in np.argsort(scores)[::-1].tolist():
        group = np.flatnonzero(near[i])
        best = int(group[np.argmax(scores[group])])
        if i not in ignored and best not in ignored:
            kept.append(best)
            ignored |= set(group.tolist())
    assert by_keypoint_distance(poses, threshold).rows.tolist() == kept
    assert 1 < len(kept) < 48


def test_poses_without_extent_are_kept_apart() -> None:
    """Where a pose is a single point nothing is near it, not even itself."""
    still = ScoredPoses(
        np.zeros((2, 3, 2)), np.array([0.1, 0.2]), np.zeros((2, 4)), np.ones(2), np.ones(3)
    )
    assert by_keypoint_distance(still, 0.05).rows.tolist() == [1, 0]


@pytest.mark.parametrize("rule", [by_oks, by_soft_oks, by_box, by_keypoint_distance])
def test_no_poses(rule: object) -> None:
    nobody = ScoredPoses(
        np.zeros((0, 17, 2)), np.zeros(0), np.zeros((0, 4)), np.zeros(0), np.ones(17)
    )
    rows, scores = rule(nobody, 0.5)  # type: ignore[operator]
    assert len(rows) == len(scores) == 0
