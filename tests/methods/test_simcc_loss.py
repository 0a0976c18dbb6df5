"""Classification losses against the formulas of the authors' code, keypoint by keypoint."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from poselab.methods.simcc.loss import AxisLoss
from poselab.outputs import AxisLogits, AxisTarget
from poselab.structures import InputError


def case() -> tuple[AxisLogits, AxisTarget]:
    """Two inputs of three keypoints, one of which does not count."""
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, 8, generator=random), torch.randn(2, 3, 6, generator=random)
    weight = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    target_x, target_y = (torch.rand(s.shape, generator=random).softmax(-1) for s in (x, y))
    return AxisLogits(x, y), AxisTarget(target_x, target_y, weight)


def by_loops(output: AxisLogits, target: AxisTarget, beta: float, soften: bool) -> float:
    """Mean over keypoints of weight times the mean over bins of t·(log t - log p)."""
    total = 0.0
    for axis in ("x", "y"):
        logits, ground_truth = getattr(output, axis).numpy(), getattr(target, axis).numpy()
        for b in range(2):
            for k in range(3):
                e = np.exp(beta * logits[b, k])
                t = np.exp(beta * ground_truth[b, k]) if soften else ground_truth[b, k]
                t = t / t.sum()
                total += target.weight[b, k].item() * np.mean(t * np.log(t / (e / e.sum())))
    return total / 6


@pytest.mark.parametrize(("beta", "soften"), [(1.0, False), (10.0, True)])
def test_is_the_authors_formula(beta: float, soften: bool) -> None:
    output, target = case()
    parts = AxisLoss(beta=beta, soften=soften, mean_over_bins=True)(output, target)
    total = sum(parts.values()).item()
    assert total == pytest.approx(by_loops(output, target, beta, soften), rel=1e-5)


def test_sums_are_the_authors() -> None:
    """NMTCritierion sums over bins and keypoints, mmpose's KLDiscretLoss over the batch."""
    output, target = case()
    mean = by_loops(output, target, beta=1.0, soften=False)
    batch = AxisLoss(mean_over_bins=True, sum_over_batch=True)(output, target)
    assert sum(batch.values()).item() == pytest.approx(2 * mean, rel=1e-5)
    ours = AxisLoss()(output, target)
    for axis in ("x", "y"):
        log_p, t = getattr(output, axis).log_softmax(-1), getattr(target, axis)
        by_keypoint = torch.nn.functional.kl_div(log_p, t, reduction="none").sum(-1)
        expected = (by_keypoint * target.weight).sum() / len(t)
        torch.testing.assert_close(ours[axis], expected)


def test_one_hot_is_cross_entropy_with_its_gradient() -> None:
    """Two bins, logits log 3 and 0: p = 3/4, 1/4; t is the second: loss log 4, gradient p - t."""
    logits = torch.tensor([[[math.log(3.0), 0.0]]], requires_grad=True)
    sure = torch.tensor([[[0.0, 1.0]]])
    target = AxisTarget(sure, sure, torch.ones(1, 1))
    loss = AxisLoss()(AxisLogits(logits, sure * 100), target)
    assert loss["x"].item() == pytest.approx(math.log(4))
    assert loss["y"].item() == pytest.approx(0.0, abs=1e-6)
    loss["x"].backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[[0.75, -0.75]]]))


def test_beta_must_be_positive() -> None:
    with pytest.raises(InputError, match="expected beta above 0"):
        AxisLoss(beta=0.0)
