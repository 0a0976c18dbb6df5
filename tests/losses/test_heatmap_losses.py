"""Losses on heatmaps against the authors' formulas, cell by cell, and by hand with gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from poselab.codecs.heatmap import HeatmapCodec
from poselab.losses.focal import FocalHeatmapLoss
from poselab.losses.heatmap_distribution import HeatmapDivergence
from poselab.losses.heatmaps import HardKeypointLoss
from poselab.losses.wing import AdaptiveWingLoss
from poselab.outputs import HeatmapTarget
from poselab.skeletons import COCO17
from poselab.structures import InputError


def case() -> tuple[torch.Tensor, HeatmapTarget]:
    """Outputs and targets (2, 4, 5, 6), one heatmap of which has weight zero."""
    random = torch.Generator().manual_seed(0)
    output, heatmap = (torch.rand(2, 4, 5, 6, generator=random) for _ in range(2))
    weight = torch.ones(2, 4, 1, 1)
    weight[0, 1] = 0
    return output, HeatmapTarget(heatmap, weight)


def test_hard_keypoints_are_cpns() -> None:
    output, target = case()
    each = (0.5 * (output - target.heatmaps) ** 2 * target.weight).mean((2, 3)).numpy()
    expected = np.mean([sorted(row)[-2:] for row in each])
    loss = HardKeypointLoss(hardest=2)(output, target)["hard"]
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_easy_keypoints_get_no_gradient() -> None:
    output = torch.tensor([0.1, 0.5, 0.3]).view(1, 3, 1, 1).requires_grad_()
    target = HeatmapTarget(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    HardKeypointLoss(hardest=1)(output, target)["hard"].backward()
    assert output.grad.flatten().tolist() == [0.0, 0.5, 0.0]


def wing_by_hand(y: float, found: float, alpha: float = 2.1) -> float:
    """Equations 3 and 4 of Wang et al. 2019 with omega 14, epsilon 1, theta 0.5."""
    d = abs(y - found)
    if d < 0.5:
        return 14 * math.log(1 + d ** (alpha - y))
    a = 14 / (1 + 0.5 ** (alpha - y)) * (alpha - y) * 0.5 ** (alpha - y - 1)
    c = 0.5 * a - 14 * math.log(1 + 0.5 ** (alpha - y))
    return a * d - c


def test_wing_is_the_papers() -> None:
    output, target = case()
    output = output * 1.8
    each = np.vectorize(wing_by_hand)(target.heatmaps.double().numpy(), output.double().numpy())
    loss = AdaptiveWingLoss(foreground=0.0)(output, target)["wing"]
    assert loss.item() == pytest.approx((each * target.weight.numpy()).mean(), rel=1e-5)


def test_wing_has_one_slope_at_theta_and_none_where_it_is_right() -> None:
    heatmap = torch.tensor([0.0, 0.3, 1.0]).view(1, 1, 1, 3)
    loss = AdaptiveWingLoss(foreground=0.0)
    slopes = []
    for d in (0.0, 0.4999, 0.5001):
        output = (heatmap + d).requires_grad_()
        loss(output, HeatmapTarget(heatmap, torch.ones(1, 1, 1, 1)))["wing"].backward()
        slopes.append(output.grad)
    assert (slopes[0] == 0).all()
    torch.testing.assert_close(slopes[1], slopes[2], rtol=2e-3, atol=0)


def test_wing_weighs_the_peak_and_its_neighbours() -> None:
    heatmap = torch.zeros(1, 1, 1, 5)
    heatmap[..., 1] = 0.5
    ones = torch.ones(1, 1, 1, 1)
    off = torch.zeros(5)
    for n, weight in ((2, 11.0), (3, 1.0)):
        output = heatmap.clone()
        output[..., n] += 0.1
        plain = AdaptiveWingLoss(foreground=0.0)(output, HeatmapTarget(heatmap, ones))["wing"]
        heavy = AdaptiveWingLoss()(output, HeatmapTarget(heatmap, ones))["wing"]
        off[n] = heavy / plain
        assert off[n].item() == pytest.approx(weight, rel=1e-5)


def test_focal_is_centernets() -> None:
    output, target = case()
    heatmap = target.heatmaps.clone()
    heatmap[:, :, 2, 3] = 1.0
    p, total = output.sigmoid().numpy(), 0.0
    for at in np.ndindex(heatmap.shape):
        if target.weight[at[0], at[1]] == 0:
            continue
        y = heatmap[at].item()
        total -= (
            (1 - p[at]) ** 2 * math.log(p[at])
            if y == 1
            else (1 - y) ** 4 * p[at] ** 2 * math.log(1 - p[at])
        )
    loss = FocalHeatmapLoss()(output, HeatmapTarget(heatmap, target.weight))["focal"]
    assert loss.item() == pytest.approx(total / 7, rel=1e-5)


def test_focal_without_its_powers_is_binary_cross_entropy() -> None:
    """One cell at logit 0 that is the peak: log 2, gradient -1/2."""
    output = torch.zeros(1, 1, 1, 1, requires_grad=True)
    target = HeatmapTarget(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    loss = FocalHeatmapLoss(alpha=0.0, beta=0.0)(output, target)["focal"]
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert output.grad.item() == pytest.approx(-0.5)


def test_divergence_of_a_one_hot_target_is_cross_entropy() -> None:
    """Logits 0, log 2, 0, 0, the target is the second: p = 2/5, gradient p minus the target."""
    output = torch.tensor([0.0, math.log(2), 0.0, 0.0]).view(1, 1, 2, 2).requires_grad_()
    heatmap = torch.tensor([0.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    loss = HeatmapDivergence()(output, HeatmapTarget(heatmap, torch.ones(1, 1, 1, 1)))["divergence"]
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2.5))
    assert output.grad.flatten().tolist() == pytest.approx([0.2, -0.6, 0.2, 0.2])


def test_divergence_is_zero_at_the_target_and_torchs_elsewhere() -> None:
    output, target = case()
    share = target.heatmaps.flatten(2) / target.heatmaps.flatten(2).sum(-1, keepdim=True)
    right = share.log().view_as(output)
    assert HeatmapDivergence()(right + 3.0, target)["divergence"].item() == pytest.approx(
        0, abs=1e-6
    )
    found = output.flatten(2).log_softmax(-1)
    each = torch.nn.functional.kl_div(found, share, reduction="none").sum(-1)
    expected = (each * target.weight[..., 0, 0]).mean()
    torch.testing.assert_close(HeatmapDivergence()(output, target)["divergence"], expected)


def test_divergence_leaves_masked_cells_out() -> None:
    """Two of four cells are known: equal logits give each one half, whatever the others say."""
    output = torch.tensor([1.0, 1.0, 50.0, -3.0]).view(1, 1, 2, 2).requires_grad_()
    heatmap = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    loss = HeatmapDivergence()(output, HeatmapTarget(heatmap, mask))["divergence"]
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert output.grad.flatten().tolist() == pytest.approx([-0.5, 0.5, 0.0, 0.0])


LOSSES = [HardKeypointLoss(8), AdaptiveWingLoss(), FocalHeatmapLoss(), HeatmapDivergence()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_unlabelled_keypoints_get_no_gradient_and_an_empty_target_costs_nothing(
    loss: torch.nn.Module,
) -> None:
    codec = HeatmapCodec(skeleton=COCO17, input_size=(64, 48), stride=4)
    points = torch.rand(2, 1, 17, 2) * 40
    seen = torch.zeros(2, 1, 17, dtype=torch.uint8)
    seen[:, :, :6] = 2
    everywhere = torch.ones(2, 1, 1, dtype=torch.uint8)
    output = torch.randn(2, 17, 16, 12, requires_grad=True)
    sum(loss(output, codec.encode(points, seen, everywhere)).values()).backward()
    assert (output.grad[:, 6:] == 0).all()
    assert output.grad[:, :6].any()
    nobody = codec.encode(points, torch.zeros_like(seen), everywhere)
    assert sum(loss(output, nobody).values()).item() == 0


def test_the_codec_decodes_logits_of_either_activation() -> None:
    common = {"skeleton": COCO17, "input_size": (64, 48), "stride": 4, "encoding": "unbiased"}
    points = torch.tensor([21.3, 30.2]).expand(1, 1, 17, 2)
    seen, everywhere = torch.full((1, 1, 17), 2), torch.ones(1, 1, 1, dtype=torch.uint8)
    for activation in ("softmax", "sigmoid"):
        codec = HeatmapCodec(**common, activation=activation, decoder="dark")
        heatmap = codec.encode(points, seen, everywhere).heatmaps.clamp(1e-12, 1 - 1e-6)
        logits = heatmap.log() if activation == "softmax" else heatmap.logit()
        poses = codec.decode(logits)
        torch.testing.assert_close(poses.keypoints, points, rtol=0, atol=0.04)
        assert 0.9 < poses.scores.min() <= poses.scores.max() <= 1


def test_bad_settings_raise() -> None:
    for make, message in (
        (lambda: HardKeypointLoss(0), "hardest"),
        (lambda: AdaptiveWingLoss(alpha=1.9), "alpha above 2"),
        (lambda: FocalHeatmapLoss(alpha=-1.0), "alpha and beta"),
    ):
        with pytest.raises(InputError, match=message):
            make()
    with pytest.raises(InputError, match="up to the number of heatmaps"):
        HardKeypointLoss(9)(*case())
