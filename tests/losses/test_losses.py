"""Losses against naive loops and numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from poselab.losses.coordinates import CoordinateLoss
from poselab.losses.heatmaps import HeatmapLoss
from poselab.outputs import Coordinates, CoordinateTarget, HeatmapTarget
from poselab.structures import InputError


def coordinate_case() -> tuple[Coordinates, CoordinateTarget]:
    """Three keypoints, off by (0.1, 0.2), (0.02, 0) and, unlabelled, by a lot."""
    ground_truth = torch.zeros(1, 3, 2)
    guess = torch.tensor([[[0.1, -0.2], [0.02, 0.0], [9.0, 9.0]]])
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    return Coordinates(guess, torch.ones(1, 3)), CoordinateTarget(ground_truth, weight)


def test_l1_is_the_mean_over_labelled_keypoints_and_axes() -> None:
    loss = CoordinateLoss("l1")(*coordinate_case())
    assert loss["coordinates"].item() == pytest.approx((0.1 + 0.2 + 0.02 + 0.0) / 4)


def test_smooth_l1_is_square_within_beta() -> None:
    loss = CoordinateLoss("smooth_l1", beta=0.05)(*coordinate_case())
    expected = ((0.1 - 0.025) + (0.2 - 0.025) + 0.5 * 0.02**2 / 0.05) / 4
    assert loss["coordinates"].item() == pytest.approx(expected)


def test_heatmap_loss_is_hrnets() -> None:
    """Half the mean square of each joint over batch and cells, then the mean over joints."""
    random = torch.Generator().manual_seed(0)
    output, heatmaps = (torch.rand(3, 4, 5, 6, generator=random) for _ in range(2))
    weight = (torch.rand(3, 4, 1, 1, generator=random) > 0.4).float()
    joints = [
        0.5 * ((output[:, k] * weight[:, k] - heatmaps[:, k] * weight[:, k]) ** 2).mean()
        for k in range(4)
    ]
    loss = HeatmapLoss()(output, HeatmapTarget(heatmaps, weight))["heatmaps"]
    assert loss.item() == pytest.approx((sum(joints) / 4).item())


def test_losses_compute_in_float32_for_half_precision_outputs() -> None:
    heatmaps = torch.rand(2, 3, 8, 8)
    target = HeatmapTarget(heatmaps, torch.ones(2, 3, 1, 1))
    assert HeatmapLoss()(heatmaps.bfloat16(), target)["heatmaps"].dtype == torch.float32


def test_bad_settings_raise() -> None:
    with pytest.raises(InputError, match="expected loss kind"):
        CoordinateLoss("l2")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected beta"):
        CoordinateLoss("smooth_l1", beta=0.0)
