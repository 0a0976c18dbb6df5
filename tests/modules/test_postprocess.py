"""Score rules and kinds of NMS of the top-down module, and how a run's contract tells them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import estimator, frames, poses

from poselab.evaluation.predictions import Predictions
from poselab.experiments import build
from poselab.experiments.comparability import _nms, _score
from poselab.experiments.compose import compose
from poselab.grouping.pose_nms import NMS_RULES
from poselab.modules import TopDown
from poselab.skeletons import COCO17


@pytest.mark.parametrize(
    ("rule", "keypoint_threshold", "score", "said"),
    [
        ("product", 0.2, 0.5 * 0.6, "box score · mean of keypoint scores above 0.2"),
        ("product", None, 0.5 * 0.35, "box score · mean of all keypoint scores"),
        ("keypoints", 0.2, 0.6, "mean of keypoint scores above 0.2"),
        ("keypoints", None, 0.35, "mean of all keypoint scores"),
        ("box", 0.2, 0.5, "box score"),
    ],
)
def test_scores_by_hand(
    rule: str, keypoint_threshold: float | None, score: float, said: str
) -> None:
    """Two keypoints of 0.8 and 0.4, two of 0.1: mean 0.6 above 0.2, 0.35 over all; box 0.5."""
    module = TopDown(estimator(), keypoint_threshold=keypoint_threshold, score_rule=rule)
    found = poses(torch.tensor([[0.8, 0.4, 0.1, 0.1]]), torch.zeros(1, 4, 2))
    assert module.score(found, frames([0.5])).tolist() == [[pytest.approx(score)]]
    assert _score(module) == said


def test_no_confident_keypoint_scores_nothing() -> None:
    found = poses(torch.full((1, 4), 0.1), torch.zeros(1, 4, 2))
    assert TopDown(estimator(), score_rule="keypoints").score(found, frames([0.5])).item() == 0


def twins() -> Predictions:
    """Two poses at one place in one image, and the same pose in another."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (17, 2))
    return Predictions(
        image_ids=np.array([5, 3, 5]),
        annotation_ids=np.full(3, -1),
        keypoints=np.stack([keypoints] * 3),
        keypoint_scores=np.ones((3, 17)),
        scores=np.array([0.6, 0.7, 0.9]),
        boxes=np.tile([0.0, 0.0, 100.0, 100.0], (3, 1)),
    )


@pytest.mark.parametrize("kind", ["oks", "box", "keypoint_distance"])
def test_hard_suppression_keeps_the_better_twin(kind: str) -> None:
    module = TopDown(estimator(), nms=0.5, nms_kind=kind)
    kept = module.suppress(twins())
    assert kept.image_ids.tolist() == [3, 5]
    assert kept.scores.tolist() == [0.7, 0.9]
    assert _nms(module) == {"kind": NMS_RULES[kind][0], "threshold": 0.5}


def test_soft_suppression_lowers_the_worse_twin() -> None:
    module = TopDown(estimator(), nms=0.5, nms_kind="soft_oks")
    kept = module.suppress(twins())
    assert kept.image_ids.tolist() == [5, 3, 5]
    assert kept.scores == pytest.approx([0.6 * np.exp(-2.0), 0.7, 0.9])
    assert _nms(module) == {"kind": "soft OKS", "threshold": 0.5}


def test_no_suppression_and_refusals() -> None:
    module = TopDown(estimator(), nms=None, nms_kind="box")
    assert len(module.suppress(twins())) == 3
    assert _nms(module) is None
    with pytest.raises(ValueError, match="score_rule"):
        TopDown(estimator(), score_rule="boxes")
    with pytest.raises(ValueError, match="nms_kind"):
        TopDown(estimator(), nms_kind="hard")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("module=top_down", "OKS"),
        ("module=top_down_soft", "soft OKS"),
        ("module=top_down_nearby", "nearby joints"),
        ("module=top_down_box_nms", "box IoU"),
    ],
)
def test_the_shipped_modules_build(word: str, kind: str) -> None:
    config, _ = compose("train", [word])
    module = build.module(config, COCO17)
    found = _nms(module)
    assert found is not None
    assert found["kind"] == kind
