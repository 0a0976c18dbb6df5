"""Score rules and kinds of NMS, and how the comparability record names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks import frames, poses
from torch import Tensor

from poselab.evaluation.predictions import Predictions
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.grouping.pose_nms import NMS_RULES
from poselab.modules import PostProcess
from poselab.skeletons import COCO17
from poselab.structures import Frame, InputError, Poses

SIGMAS = COCO17.oks_sigmas
CROP: dict[str, Any] = {"nms_area": "crop", "crop_size": [256, 192]}


@pytest.mark.parametrize(
    ("rule", "keypoint_threshold", "score", "words"),
    [
        ("product", 0.2, 0.5 * 0.6, "box score · mean of keypoint scores above 0.2"),
        ("product", None, 0.5 * 0.35, "box score · mean of all keypoint scores"),
        ("keypoints", 0.2, 0.6, "mean of keypoint scores above 0.2"),
        ("keypoints", None, 0.35, "mean of all keypoint scores"),
        ("box", 0.2, 0.5, "box score"),
        (
            "sum",
            0.2,
            0.5 + 0.35 + 0.8,
            "box score + mean of all keypoint scores + highest keypoint score",
        ),
    ],
)
def test_scores_by_hand(
    rule: str, keypoint_threshold: float | None, score: float, words: str
) -> None:
    """Two keypoints of 0.8 and 0.4, two of 0.1: mean 0.6 above 0.2, 0.35 over all; box 0.5."""
    postprocess = PostProcess(rule, keypoint_threshold)
    decoded = poses(torch.tensor([[0.8, 0.4, 0.1, 0.1]]), torch.zeros(1, 4, 2))
    assert postprocess.score(decoded, frames([0.5])).tolist() == [[pytest.approx(score)]]
    assert postprocess.comparability()["score"] == words


@pytest.mark.parametrize("score", [0.1, 0.2])
def test_no_confident_keypoint_scores_nothing(score: float) -> None:
    """A score that equals the threshold does not count, as in the authors' code."""
    decoded = poses(torch.full((1, 4), score), torch.zeros(1, 4, 2))
    assert PostProcess("keypoints").score(decoded, frames([0.5])).item() == 0


def test_keypoints_that_grouping_filled_in_count_as_zero() -> None:
    """HigherHRNet, lib/core/group.py: scores are means over all joints before refine()."""
    decoded = poses(torch.tensor([[0.8, 0.4, 0.1, 0.1]]), torch.zeros(1, 4, 2))
    grouped = decoded._replace(detected=torch.tensor([[[True, True, False, True]]]))
    rule = PostProcess("detected", keypoint_threshold=None)
    assert rule.score(grouped, frames([0.5])).item() == pytest.approx(1.3 / 4)
    assert rule.score(decoded, frames([0.5])).item() == pytest.approx(1.4 / 4)
    assert rule.comparability()["score"] == (
        "mean of all keypoint scores before missing ones are filled in"
    )


def test_a_box_that_the_method_found_itself_scores_before_that_of_the_frame() -> None:
    decoded = poses(torch.full((1, 4), 0.5), torch.zeros(1, 4, 2))
    boxed = decoded._replace(box_scores=torch.tensor([[0.3]]))
    for rule, expected in {"box": 0.3, "product": 0.15, "keypoints": 0.5}.items():
        assert PostProcess(rule).score(boxed, frames([0.9])).item() == pytest.approx(expected)


class Halved(PostProcess):
    """A rule of its own."""

    def score(self, poses: Poses, frame: Frame[Tensor]) -> Tensor:
        return super().score(poses, frame) / 2


def test_a_user_defined_rule_is_recorded_by_its_name() -> None:
    assert Halved().comparability()["score"] == "by Halved"


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
def test_hard_nms_keeps_the_better_twin(kind: str) -> None:
    postprocess = PostProcess(nms=0.5, nms_kind=kind)
    kept = postprocess.suppress(twins(), SIGMAS)
    assert kept.image_ids.tolist() == [3, 5]
    assert kept.scores.tolist() == [0.7, 0.9]
    nms = {"kind": NMS_RULES[kind][0], "threshold": 0.5}
    assert postprocess.comparability()["nms"] == nms | ({"area": "box"} if kind == "oks" else {})


def test_soft_nms_lowers_the_worse_twin() -> None:
    postprocess = PostProcess(nms=0.5, nms_kind="soft_oks")
    kept = postprocess.suppress(twins(), SIGMAS)
    assert kept.image_ids.tolist() == [5, 3, 5]
    assert kept.scores == pytest.approx([0.6 * np.exp(-2.0), 0.7, 0.9])
    nms = postprocess.comparability()["nms"]
    assert nms == {"kind": "soft OKS", "threshold": 0.5, "area": "box"}


@pytest.mark.parametrize(("area", "kept"), [("box", 2), ("crop", 1)])
def test_oks_is_taken_over_the_area_that_is_chosen(area: str, kept: int) -> None:
    """HRNet's code: area = np.prod(scale * 200), of the box in the input's shape, 1.25 as large."""
    box, apart = np.array([0.0, 0.0, 30.0, 100.0]), 6.0
    keypoints = np.random.default_rng(0).uniform(0, 100, (17, 2))
    twins = Predictions(
        image_ids=np.array([1, 1]),
        annotation_ids=np.full(2, -1),
        keypoints=np.stack([keypoints, keypoints + np.array([apart, 0])]),
        keypoint_scores=np.ones((2, 17)),
        scores=np.array([0.6, 0.7]),
        boxes=np.stack([box, box]),
    )
    areas = {"box": 30 * 100, "crop": (1.25 * 100 * 192 / 256) * (1.25 * 100)}
    oks = {
        name: np.exp(-(apart**2) / (2 * (2 * np.array(SIGMAS)) ** 2 * size)).mean()
        for name, size in areas.items()
    }
    middle = (oks["box"] + oks["crop"]) / 2
    postprocess = PostProcess(nms=middle, nms_area=area, crop_size=(256, 192))
    assert len(postprocess.suppress(twins, SIGMAS)) == kept
    assert postprocess.comparability()["nms"]["area"] == area


def test_without_nms_every_pose_stays() -> None:
    postprocess = PostProcess(nms=None, nms_kind="box")
    assert len(postprocess.suppress(twins(), SIGMAS)) == 3
    assert postprocess.comparability()["nms"] is None


def test_unknown_rules_are_input_errors() -> None:
    with pytest.raises(InputError, match="score_rule"):
        PostProcess(score_rule="boxes")
    with pytest.raises(InputError, match="nms_kind"):
        PostProcess(nms_kind="hard")
    with pytest.raises(InputError, match="nms_area"):
        PostProcess(nms_area="segment")
    with pytest.raises(InputError, match="crop_size"):
        PostProcess(nms_area="crop")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("postprocess=top_down", "OKS"),
        ("postprocess=soft_oks_nms", "soft OKS"),
        ("postprocess=keypoint_distance_nms", "keypoint distance"),
        ("postprocess=box_nms", "box IoU"),
    ],
)
def test_each_postprocess_config_builds(word: str, kind: str) -> None:
    config, _ = compose("train", [word])
    nms = build.module(config, COCO17).postprocess.comparability()["nms"]
    assert nms is not None
    assert nms["kind"] == kind


@pytest.mark.parametrize(
    ("words", "postprocess"),
    [
        ([], PostProcess(**CROP)),
        (["module=single_person"], PostProcess("keypoints", None, None)),
        (
            ["module=single_person", "postprocess=box_nms"],
            PostProcess(nms=0.65, nms_kind="box", **CROP),
        ),
        (["experiment=quickstart/bottom_up"], PostProcess("detected", None, None)),
    ],
)
def test_post_processing_follows_the_module_unless_it_is_chosen(
    words: list[str], postprocess: PostProcess
) -> None:
    assert build.module(compose("train", words)[0], COCO17).postprocess == postprocess
