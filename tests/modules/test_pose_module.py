"""The one prediction step, and what top-down adds to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import BlockMeans, estimator, frames, poses

from poselab.codecs.coordinate import CoordinateCodec
from poselab.evaluation.predictions import Predictions
from poselab.losses.heatmaps import MapLoss
from poselab.modules import BottomUp, HeatmapRegression, TopDown
from poselab.skeletons import COCO17

IMAGES = torch.randint(0, 256, (3, 3, 32, 24), generator=torch.Generator().manual_seed(0)).byte()


def test_images_are_normalised_as_imagenet_is() -> None:
    grey = torch.full((1, 3, 32, 24), 128, dtype=torch.uint8)
    seen = estimator()(grey)[0, 0, 0, 0]
    assert seen.item() == pytest.approx((128 / 255 - 0.485) / 0.229, abs=1e-6)


def test_flip_test_averages_with_the_unflipped_flip_output() -> None:
    module = estimator()
    straight, flipped = module(IMAGES), module(IMAGES.flip(-1))
    back = flipped.flip(-1)[:, list(COCO17.flip_index)]
    merged = module.flip_tested(straight, IMAGES)
    assert torch.allclose(merged, (straight + back) / 2)
    assert not torch.allclose(merged, straight)
    assert estimator(flip_test=False).flip_tested(straight, IMAGES) is straight


def test_found_poses_are_in_image_pixels() -> None:
    frame = frames([1.0, 1.0])._replace(
        to_image=torch.tensor([[[2.0, 0.0, 5.0], [0.0, 3.0, -1.0]]]).expand(2, 2, 3)
    )
    maps = torch.zeros(2, 17, 8, 6)
    maps[:, :, 4, 3] = 0.5  # the centre of this cell is pixel (13.5, 17.5)
    found = estimator().found(maps, frame)
    assert found.keypoints == pytest.approx(np.full((2, 17, 2), (2 * 13.5 + 5, 3 * 17.5 - 1)))
    assert found.annotation_ids.tolist() == [0, 1]
    assert found.keypoint_scores == pytest.approx(np.full((2, 17), 0.5))
    assert found.scores == pytest.approx([0.5, 0.5])  # the mean over keypoints


def test_top_down_scores_by_confident_keypoints_and_the_box() -> None:
    scores = torch.zeros(3, 17)
    scores[0, :3] = torch.tensor([0.9, 0.3, 0.2])  # 0.2 is not above the threshold
    scores[1, :] = 0.5
    module = TopDown(estimator(), keypoint_threshold=0.2)
    given = module.score(poses(scores), frames([0.5, 1.0, 1.0]))
    assert given[:, 0].tolist() == pytest.approx([0.5 * (0.9 + 0.3) / 2, 0.5, 0.0])


def instances(keypoints: list[np.ndarray], scores: list[float], images: list[int]) -> Predictions:
    count = len(scores)
    return Predictions(
        image_ids=np.array(images),
        annotation_ids=np.arange(count),
        keypoints=np.stack(keypoints),
        keypoint_scores=np.ones((count, 17)),
        scores=np.array(scores),
        boxes=np.tile([0.0, 0.0, 100.0, 100.0], (count, 1)),
    )


def test_top_down_drops_repeated_poses_of_a_image() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2))
    far = pose + 60
    # exp(-d² / (2·area·(2σ)²)) averaged: a shift of a tenth of a pixel leaves OKS near 1.
    found = instances([pose, pose + 0.1, far, pose], [0.5, 0.9, 0.1, 0.2], [1, 1, 1, 2])
    kept = TopDown(estimator()).suppress(found)
    assert kept.annotation_ids.tolist() == [1, 2, 3]
    assert TopDown(estimator(), nms=None).suppress(found) is found


def test_top_down_drops_by_the_oks_of_the_boxes_area() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2))
    oks_sigmas = 2 * np.array(COCO17.oks_sigmas)
    shift = 4.0
    oks = float(np.exp(-(shift**2) / (2 * 100 * 100 * oks_sigmas**2)).mean())
    found = instances([pose, pose + np.array([shift, 0])], [0.9, 0.5], [1, 1])
    assert len(TopDown(estimator(), nms=oks - 0.01).suppress(found)) == 1
    assert len(TopDown(estimator(), nms=oks + 0.01).suppress(found)) == 2


def test_nothing_found_is_nothing_suppressed() -> None:
    nobody = instances([np.zeros((17, 2))], [0.1], [1]).take(np.zeros(0, dtype=int))
    assert len(TopDown(estimator()).suppress(nobody)) == 0


def test_variants_refuse_what_they_cannot_hold() -> None:
    codec = CoordinateCodec(skeleton=COCO17, input_size=(32, 24), stride=4)
    with pytest.raises(ValueError, match="expected HeatmapCodec.* for HeatmapRegression, got Co"):
        HeatmapRegression(BlockMeans(), codec, MapLoss())
    many = BottomUp.__new__(BottomUp)
    with pytest.raises(ValueError, match="expected a single-person method, got BottomUp"):
        TopDown(many)


def test_half_precision_does_not_round_pixels() -> None:
    frame = frames([1.0])._replace(
        to_image=torch.tensor([[[3.37, 0.0, 811.3], [0.0, 3.37, 402.7]]])
    )
    maps = torch.rand(1, 17, 8, 6, generator=torch.Generator().manual_seed(1))
    whole = estimator().found(maps, frame)
    with torch.autocast("cpu", torch.bfloat16):
        half = estimator().found(maps, frame)
    np.testing.assert_allclose(half.keypoints, whole.keypoints, atol=1e-3)
