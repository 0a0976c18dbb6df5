"""Integral regression's losses against the numbers that DSNT's package documents, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from poselab.heatmaps import soft_argmax
from poselab.losses.coordinates import CoordinateLoss
from poselab.methods.integral.head import SoftArgmaxCoordinates
from poselab.methods.integral.loss import DistanceLoss, IntegralLoss
from poselab.outputs import CoordinateTarget
from poselab.structures import InputError

CORNER = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.1], [0.0, 0.0, 0.1, 0.8]]
CROSS = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.1, 0.0], [0.0, 0.1, 0.6, 0.1], [0.0, 0.0, 0.1, 0.0]]
OTHER = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0], [0.1, 0.5, 0.1, 0.0], [0.0, 0.1, 0.0, 0.0]]


def found(*shares: list[list[float]]) -> SoftArgmaxCoordinates:
    """The output whose heatmaps are these distributions, one input each."""
    heatmaps = torch.tensor(shares)[:, None]
    logits = heatmaps.log()
    return SoftArgmaxCoordinates(
        soft_argmax(logits), torch.ones(len(heatmaps), 1), heatmaps, logits
    )


def at(*xy: tuple[float, float]) -> CoordinateTarget:
    """One labelled keypoint an input."""
    return CoordinateTarget(torch.tensor(xy)[:, None], torch.ones(len(xy), 1))


def heatmaps_alone(kind: str, sigma: float) -> IntegralLoss:
    return IntegralLoss(position=None, heatmaps=kind, sigma=sigma)  # type: ignore[arg-type]


def test_distribution_of_the_documented_example() -> None:
    """dsntnn's first example lies at (0.4, 0) from -1 to 1."""
    shares = [[0.0] * 5, [0.0, 0, 0, 0.1, 0], [0, 0, 0.1, 0.6, 0.1], [0.0, 0, 0, 0.1, 0], [0.0] * 5]
    torch.testing.assert_close(found(shares).xy, torch.tensor([[[0.2, 0.0]]]))


def test_kl_is_dsntnns() -> None:
    output, target = found(CORNER), at((0.5, 0.5))
    assert heatmaps_alone("kl", 2.0)(output, target)["heatmaps"].item() == pytest.approx(
        1.2228811717796824
    )
    wide = found([[0.0, 0.0, *row] for row in CORNER])
    assert heatmaps_alone("kl", 2.0)(wide, target)["heatmaps"].item() == pytest.approx(
        1.26467538775
    )


def test_variance_is_dsntnns() -> None:
    loss = heatmaps_alone("variance", 2.0)
    assert loss(found(CROSS), at((0.1, 0.1)))["heatmaps"].item() == pytest.approx(28.88)
    both = loss(found(CROSS, OTHER), at((0.1, 0.1), (0.3, -0.2)))
    assert both["heatmaps"].item() == pytest.approx(28.54205, rel=1e-5)


def entropy(shares: Tensor) -> Tensor:
    return -(shares * shares.clamp(min=1e-30).log()).sum()


def test_js_is_entropy_of_the_mean_less_mean_entropy() -> None:
    """A Gaussian of sigma 1 around cell (2, 1), against the documented cross."""
    steps = torch.arange(4.0)
    column, row = torch.exp(-((steps - 2) ** 2) / 2), torch.exp(-((steps - 1) ** 2) / 2)
    normal = row[:, None] * column
    normal = normal / normal.sum()
    shares = torch.tensor(CROSS)
    expected = entropy((shares + normal) / 2) - (entropy(shares) + entropy(normal)) / 2
    target = at((2.5 / 4 - 0.5, 1.5 / 4 - 0.5))
    loss = heatmaps_alone("js", 1.0)
    assert loss(found(CROSS), target)["heatmaps"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss(found(normal.tolist()), target)["heatmaps"].item() == pytest.approx(0.0, abs=1e-6)
    assert expected <= math.log(2)


def raw(values: list[list[float]]) -> SoftArgmaxCoordinates:
    """The output whose heatmaps are these logits."""
    heatmaps = torch.tensor(values)[None, None]
    return SoftArgmaxCoordinates(soft_argmax(heatmaps), torch.ones(1, 1), heatmaps, heatmaps)


def test_losses_of_heatmaps_by_hand() -> None:
    """Logits 0, log 2, log 3, 0 over 2x2 cells; the keypoint is in the third, (0, 1)."""
    output = raw([[0.0, math.log(2)], [math.log(3), 0.0]])
    target = at((-0.2, 0.3))
    categorical = heatmaps_alone("categorical", 1.0)(output, target)["heatmaps"]
    assert categorical.item() == pytest.approx(-math.log(3 / 7))
    binary = heatmaps_alone("binary", 1.0)(output, target)["heatmaps"]
    right = math.log(2) + math.log(3) + math.log(4 / 3) + math.log(2)
    assert binary.item() == pytest.approx(right, rel=1e-6)
    centre = at((-0.25, 0.25))
    drawn = torch.exp(-torch.tensor([[1.0, 2.0], [0.0, 1.0]]) / 2)
    expected = 0.5 * (output.heatmaps - drawn).square().mean()
    gaussian = heatmaps_alone("gaussian", 1.0)(output, centre)["heatmaps"]
    assert gaussian.item() == pytest.approx(expected.item(), rel=1e-6)


def test_distance_is_euclidean_and_skips_the_unlabelled() -> None:
    output = SoftArgmaxCoordinates(
        torch.tensor([[[0.3, 0.4], [9.0, 9.0]]]), None, torch.zeros(1, 2, 2, 2), None
    )
    target = CoordinateTarget(torch.zeros(1, 2, 2), torch.tensor([[1.0, 0.0]]))
    assert DistanceLoss()(output, target)["coordinates"].item() == pytest.approx(0.5)
    nobody = target._replace(weight=torch.zeros(1, 2))
    assert DistanceLoss()(output, nobody)["coordinates"].item() == 0.0


@pytest.mark.parametrize("kind", ["gaussian", "binary", "categorical", "js", "kl", "variance"])
def test_unlabelled_keypoints_weigh_nothing(kind: str) -> None:
    random = torch.Generator().manual_seed(0)
    heatmaps = torch.randn(2, 3, 6, 5, generator=random, requires_grad=True)
    output = SoftArgmaxCoordinates(soft_argmax(heatmaps), None, heatmaps, heatmaps)
    weight = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    ground_truth = torch.rand(2, 3, 2, generator=random) - 0.5
    parts = IntegralLoss(heatmaps=kind)(output, CoordinateTarget(ground_truth, weight))  # type: ignore[arg-type]
    assert set(parts) == {"coordinates", "heatmaps"}
    sum(parts.values()).backward()  # type: ignore[union-attr]
    assert heatmaps.grad is not None
    assert torch.isfinite(heatmaps.grad).all()
    assert (heatmaps.grad[weight == 0] == 0).all()
    assert (heatmaps.grad[weight == 1].abs().amax((-2, -1)) > 0).all()


def test_the_factor_weighs_only_the_loss_of_heatmaps() -> None:
    output, target = found(CROSS), at((0.3, 0.1))
    one, three = (IntegralLoss(heatmaps="kl", factor=f)(output, target) for f in (1.0, 3.0))
    assert three["heatmaps"].item() == pytest.approx(3 * one["heatmaps"].item())
    assert (
        three["coordinates"]
        == one["coordinates"]
        == CoordinateLoss()(output, target)["coordinates"]
    )


def test_bad_settings_raise() -> None:
    with pytest.raises(InputError, match="expected heatmaps"):
        IntegralLoss(heatmaps="gauss")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="neither"):
        IntegralLoss(position=None)
    with pytest.raises(InputError, match="above 0"):
        IntegralLoss(heatmaps="js", sigma=0.0)
