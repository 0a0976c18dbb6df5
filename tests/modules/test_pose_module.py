"""The one prediction step, and what post-processing adds to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import BlockMeans, codec, frames, heatmap_regression, poses, top_down

from poselab.codecs.coordinate import CoordinateCodec
from poselab.codecs.grid import flip_indices
from poselab.evaluation.predictions import Predictions
from poselab.losses.heatmaps import HeatmapLoss
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.modules import BottomUp, DirectRegression, HeatmapRegression, TopDown
from poselab.skeletons import COCO17

IMAGES = torch.randint(0, 256, (3, 3, 32, 24), generator=torch.Generator().manual_seed(0)).byte()


def test_images_are_normalised_by_imagenet_statistics() -> None:
    grey = torch.full((1, 3, 32, 24), 128, dtype=torch.uint8)
    seen = heatmap_regression()(grey)[0, 0, 0, 0]
    assert seen.item() == pytest.approx((128 / 255 - 0.485) / 0.229, abs=1e-6)


def test_gradients_pass_a_flip_that_was_first_made_for_inference() -> None:
    """What the first call keeps for later ones must not forbid them gradients."""
    flip_indices.cache_clear()
    module = heatmap_regression()
    with torch.inference_mode():
        module.codec.unflip(module(IMAGES))
    module.codec.unflip(module(IMAGES)).sum().backward()


def test_flip_test_averages_with_the_unflipped_flip_output() -> None:
    module = heatmap_regression()
    straight, flipped = module(IMAGES), module(IMAGES.flip(-1))
    back = flipped.flip(-1)[:, list(COCO17.flip_index)]
    merged = module.flip_tested(straight, IMAGES)
    assert torch.allclose(merged, (straight + back) / 2)
    assert not torch.allclose(merged, straight)
    assert heatmap_regression(flip_test=False).flip_tested(straight, IMAGES) is straight


def test_predictions_are_in_image_pixels() -> None:
    frame = frames([1.0, 1.0])._replace(
        to_image=torch.tensor([[[2.0, 0.0, 5.0], [0.0, 3.0, -1.0]]]).expand(2, 2, 3)
    )
    heatmaps = torch.zeros(2, 17, 8, 6)
    heatmaps[:, :, 4, 3] = 0.5  # the centre of this cell is pixel (13.5, 17.5)
    detected = heatmap_regression().predictions(heatmaps, frame)
    assert detected.keypoints == pytest.approx(np.full((2, 17, 2), (2 * 13.5 + 5, 3 * 17.5 - 1)))
    assert detected.annotation_ids.tolist() == [0, 1]
    assert detected.keypoint_scores == pytest.approx(np.full((2, 17), 0.5))
    assert detected.scores == pytest.approx([0.5, 0.5])  # the mean over keypoints


def test_top_down_scores_by_confident_keypoints_and_the_box() -> None:
    scores = torch.zeros(3, 17)
    scores[0, :3] = torch.tensor([0.9, 0.3, 0.2])  # 0.2 is not above the threshold
    scores[1, :] = 0.5
    module = top_down(keypoint_threshold=0.2)
    given = module.postprocess.score(poses(scores), frames([0.5, 1.0, 1.0]))
    assert given[:, 0].tolist() == pytest.approx([0.5 * (0.9 + 0.3) / 2, 0.5, 0.0])


def predictions(keypoints: list[np.ndarray], scores: list[float], images: list[int]) -> Predictions:
    count = len(scores)
    return Predictions(
        image_ids=np.array(images),
        annotation_ids=np.arange(count),
        keypoints=np.stack(keypoints),
        keypoint_scores=np.ones((count, 17)),
        scores=np.array(scores),
        boxes=np.tile([0.0, 0.0, 100.0, 100.0], (count, 1)),
    )


def test_top_down_drops_repeated_poses_of_an_image() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2))
    far = pose + 60
    # exp(-d² / (2·area·(2σ)²)) averaged: a shift of a tenth of a pixel leaves OKS near 1.
    detected = predictions([pose, pose + 0.1, far, pose], [0.5, 0.9, 0.1, 0.2], [1, 1, 1, 2])
    kept = top_down().suppress(detected)
    assert kept.annotation_ids.tolist() == [1, 2, 3]
    assert top_down(nms=None).suppress(detected) is detected


def test_top_down_drops_by_the_oks_of_the_boxes_area() -> None:
    pose = np.random.default_rng(0).uniform(0, 100, (17, 2))
    oks_sigmas = 2 * np.array(COCO17.oks_sigmas)
    shift = 4.0
    oks = float(np.exp(-(shift**2) / (2 * 100 * 100 * oks_sigmas**2)).mean())
    detected = predictions([pose, pose + np.array([shift, 0])], [0.9, 0.5], [1, 1])
    assert len(top_down(nms=oks - 0.01).suppress(detected)) == 1
    assert len(top_down(nms=oks + 0.01).suppress(detected)) == 2


def test_nothing_detected_is_nothing_suppressed() -> None:
    none = predictions([np.zeros((17, 2))], [0.1], [1]).take(np.zeros(0, dtype=int))
    assert len(top_down().suppress(none)) == 0


def test_each_module_takes_only_codecs_of_its_kind() -> None:
    settings = {"skeleton": COCO17, "input_size": (32, 24), "stride": 4}
    coordinates, tags = CoordinateCodec(**settings), TagCodec(**settings)
    for module, wrong, expected in (
        (HeatmapRegression, coordinates, "a GridCodec for one person per input in HeatmapReg"),
        (HeatmapRegression, tags, "a GridCodec for one person"),
        (DirectRegression, codec(), "a CoordinateCodec for one person"),
        (TopDown, tags, "a codec for one person per input in TopDown, got TagCodec"),
        (BottomUp, codec(), "a GridCodec for several people per input in BottomUp, got Heat"),
    ):
        with pytest.raises(ValueError, match=f"expected {expected}"):
            module(BlockMeans(), wrong, HeatmapLoss())


def test_half_precision_does_not_round_pixels() -> None:
    frame = frames([1.0])._replace(
        to_image=torch.tensor([[[3.37, 0.0, 811.3], [0.0, 3.37, 402.7]]])
    )
    heatmaps = torch.rand(1, 17, 8, 6, generator=torch.Generator().manual_seed(1))
    whole = heatmap_regression().predictions(heatmaps, frame)
    with torch.autocast("cpu", torch.bfloat16):
        half = heatmap_regression().predictions(heatmaps, frame)
    np.testing.assert_allclose(half.keypoints, whole.keypoints, atol=1e-3)
