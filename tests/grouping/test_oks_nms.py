"""Suppressing duplicates by OKS."""

from __future__ import annotations

import numpy as np
import pytest

from poselab.grouping.oks_nms import oks_nms
from poselab.skeletons import COCO17


def greedy(
    keypoints: np.ndarray, scores: np.ndarray, areas: np.ndarray, sigmas: np.ndarray, limit: float
) -> list[int]:
    """The definition, one pair and one keypoint at a time."""
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda n: -scores[n]):
        alike = [
            np.mean(
                [
                    np.exp(
                        -((keypoints[i, k] - keypoints[j, k]) ** 2).sum()
                        / (2 * (2 * sigmas[k]) ** 2 * ((areas[i] + areas[j]) / 2))
                    )
                    for k in range(len(sigmas))
                ]
            )
            for j in kept
        ]
        if all(value <= limit for value in alike):
            kept.append(i)
    return kept


def test_by_hand() -> None:
    """One keypoint, sigma 0.5, area 2: OKS is exp(-d²/4), so 1 pixel off 0.78, 2 pixels 0.37."""
    keypoints = np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[3.0, 0.0]]])
    scores, areas, oks_sigmas = np.array([0.5, 0.9, 0.1]), np.full(3, 2.0), np.array([0.5])
    assert oks_nms(keypoints, scores, areas, oks_sigmas, 0.8).tolist() == [1, 0, 2]
    assert oks_nms(keypoints, scores, areas, oks_sigmas, 0.7).tolist() == [1, 2]
    assert oks_nms(keypoints, scores, areas, oks_sigmas, 0.3).tolist() == [1]


def test_a_suppressed_pose_suppresses_no_other() -> None:
    """The middle pose falls to the first and so cannot take the last one with it."""
    keypoints = np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[2.0, 0.0]]])
    kept = oks_nms(keypoints, np.array([0.9, 0.8, 0.7]), np.full(3, 2.0), np.array([0.5]), 0.5)
    assert kept.tolist() == [0, 2]


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.9])
def test_is_the_greedy_definition(threshold: float) -> None:
    random = np.random.default_rng(0)
    instances = random.uniform(0, 300, (8, 17, 2))
    keypoints = np.repeat(instances, 6, axis=0) + random.normal(0, 6, (48, 17, 2))
    scores, areas = random.random(48), random.uniform(3e3, 2e4, 48)
    oks_sigmas = np.array(COCO17.oks_sigmas)
    kept = oks_nms(keypoints, scores, areas, oks_sigmas, threshold)
    assert 8 <= len(kept) <= 48
    assert kept.tolist() == greedy(keypoints, scores, areas, oks_sigmas, threshold)


def test_no_poses_and_zero_areas() -> None:
    oks_sigmas = np.array([0.5])
    assert oks_nms(np.zeros((0, 1, 2)), np.zeros(0), np.zeros(0), oks_sigmas, 0.9).tolist() == []
    twice = oks_nms(np.zeros((2, 1, 2)), np.array([0.1, 0.2]), np.zeros(2), oks_sigmas, 0.9)
    assert twice.tolist() == [1]


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_ruling_pairs_out_early_changes_nothing(threshold: float) -> None:
    """More poses than a block, of few keypoints, alike in all degrees."""
    random = np.random.default_rng(1)
    keypoints = np.repeat(random.uniform(0, 100, (40, 3, 2)), 5, axis=0)
    keypoints += random.normal(0, 1, (200, 3, 2)) * random.uniform(0, 12, (200, 1, 1))
    keypoints[1] = keypoints[0]
    scores, areas = random.random(200), random.uniform(1e3, 5e3, 200)
    sigmas = np.array([0.1, 0.02, 0.05])
    kept = oks_nms(keypoints, scores, areas, sigmas, threshold)
    assert kept.tolist() == greedy(keypoints, scores, areas, sigmas, threshold)


def test_no_pose_and_one_pose() -> None:
    oks_sigmas = np.array(COCO17.oks_sigmas)
    assert oks_nms(np.zeros((0, 17, 2)), np.zeros(0), np.zeros(0), oks_sigmas, 0.9).tolist() == []
    assert oks_nms(np.zeros((1, 17, 2)), np.ones(1), np.ones(1), oks_sigmas, 0.9).tolist() == [0]
