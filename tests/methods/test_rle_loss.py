"""The likelihood loss against the formula of its authors' code, and its flow against calculus."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch

from poselab.methods.rle.flow import RealNVP
from poselab.methods.rle.head import UncertainCoordinates
from poselab.methods.rle.loss import LikelihoodLoss
from poselab.outputs import CoordinateTarget
from poselab.structures import InputError


def lively(layers: int = 3, hidden: int = 8, seed: int = 0) -> RealNVP:
    """A flow far from the identity."""
    flow = RealNVP(layers=layers, hidden=hidden)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=random))
    return flow


def output_and_target() -> tuple[UncertainCoordinates, CoordinateTarget]:
    random = torch.Generator().manual_seed(1)
    xy, ground_truth = (torch.rand(3, 4, 2, generator=random) - 0.5 for _ in range(2))
    sigma = torch.rand(3, 4, 2, generator=random) * 0.8 + 0.1
    weight = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    return UncertainCoordinates(xy, 1 - sigma.mean(-1), sigma), CoordinateTarget(
        ground_truth, weight
    )


def masked_log_density(flow: RealNVP, points: torch.Tensor) -> torch.Tensor:
    """As the authors compute it: couplings with masks of zeros and ones, last one first."""
    z, log_volume = points, torch.zeros(len(points))
    for i in reversed(range(len(flow.scales))):
        mask = torch.tensor([0.0, 1.0] if i % 2 == 0 else [1.0, 0.0])
        seen = (z * mask).sum(-1, keepdim=True)
        scale = flow.scales[i](seen).expand(-1, 2) * (1 - mask)
        shift = flow.shifts[i](seen).expand(-1, 2) * (1 - mask)
        z = (1 - mask) * (z - shift) * torch.exp(-scale) + z * mask
        log_volume = log_volume - scale.sum(-1)
    normal = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    return normal.log_prob(z) + log_volume


def test_flow_is_the_masked_one() -> None:
    flow = lively()
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(flow.log_density(points), masked_log_density(flow, points))


def test_flow_is_a_density() -> None:
    """It integrates to one, and differs from the normal one."""
    steps = torch.arange(-12, 12, 0.05)
    points = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)
    with torch.no_grad():
        density = lively(layers=2, hidden=4, seed=5).log_density(points).exp()
    assert (density.sum() * 0.05**2).item() == pytest.approx(1.0, abs=2e-3)
    normal = torch.exp(-0.5 * points.square().sum(-1)) / (2 * math.pi)
    assert (density - normal).abs().max() > 0.01


def test_new_flow_starts_as_the_authors_layers_do() -> None:
    """Their networks see both coordinates, one of them masked: nn.Linear(2, 64) and so on."""
    torch.manual_seed(0)
    ours = [flow.scales[0][0] for flow in (RealNVP() for _ in range(20))]
    for index, (inputs, outputs) in enumerate([(2, 64), (64, 64), (64, 2)]):
        theirs = [torch.nn.Linear(inputs, outputs) for _ in range(20)]
        layers: list[Any] = [network[2 * index] for network in ours]
        for name in ("weight", "bias"):
            spread = torch.cat([getattr(layer, name).flatten() for layer in layers]).std()
            expected = torch.cat([getattr(layer, name).flatten() for layer in theirs]).std()
            torch.testing.assert_close(spread, expected, rtol=0.25, atol=0)


@pytest.mark.parametrize("base", ["laplace", "gaussian"])
def test_residual_likelihood_is_the_authors(base: Any) -> None:
    """Sample by sample, keypoint by keypoint, axis by axis; the flow's term counts on both axes."""
    loss = LikelihoodLoss(base=base, flow=lively)
    output, target = output_and_target()
    total = torch.zeros(())
    for b in range(3):
        for k in range(4):
            sigma = output.sigma[b, k]
            error = (output.xy[b, k] - target.xy[b, k]) / sigma
            log_flow = masked_log_density(loss.flow, error[None])[0]
            for axis in range(2):
                simple = (
                    error[axis].abs() / math.sqrt(2) if base == "laplace" else error[axis] ** 2 / 2
                )
                q = torch.log(sigma[axis] * math.sqrt(2 * math.pi)) + simple
                total += target.weight[b, k] * (torch.log(sigma[axis]) - log_flow + q)
    expected = total.detach().item() / 3
    assert loss(output, target)["likelihood"].item() == pytest.approx(expected, rel=1e-5)


def test_base_alone_and_flow_alone() -> None:
    output, target = output_and_target()
    weight = target.weight[..., None]
    error = (output.xy - target.xy) / output.sigma
    plain = torch.distributions.Normal(output.xy, output.sigma).log_prob(target.xy)
    alone = LikelihoodLoss(base="gaussian", flow=None)
    assert not list(alone.parameters())
    expected = -(plain * weight).sum() / 3
    assert alone(output, target)["likelihood"].item() == pytest.approx(expected.item(), rel=1e-5)
    direct = LikelihoodLoss(base=None, flow=lively)
    log_flow = masked_log_density(direct.flow, error.reshape(-1, 2)).reshape(3, 4, 1)
    expected = ((output.sigma.log() - log_flow) * weight).sum() / 3
    assert direct(output, target)["likelihood"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_best_deviation_is_that_of_the_errors() -> None:
    """Gaussian errors of 0.07: the loss is lowest where sigma is 0.07."""
    ground_truth = 0.07 * torch.randn(1, 4000, 2, generator=torch.Generator().manual_seed(4))
    target = CoordinateTarget(ground_truth, torch.ones(1, 4000))
    costs = []
    for sigma in (0.06, 0.07, 0.08):
        at = torch.full_like(ground_truth, sigma)
        output = UncertainCoordinates(torch.zeros_like(ground_truth), 1 - at.mean(-1), at)
        costs.append(LikelihoodLoss("gaussian", None)(output, target)["likelihood"].item())
    assert costs[1] == min(costs)


def test_unlabelled_keypoints_weigh_nothing() -> None:
    output, target = output_and_target()
    loss = LikelihoodLoss(flow=partial(lively, 2, 4))
    leaf = output.xy.clone().requires_grad_()
    loss(output._replace(xy=leaf), target)["likelihood"].backward()
    assert leaf.grad is not None
    assert (leaf.grad[target.weight == 0] == 0).all()
    assert (leaf.grad[target.weight == 1] != 0).any(-1).all()


def test_bad_settings_raise() -> None:
    with pytest.raises(InputError, match="expected a base"):
        LikelihoodLoss(base="cauchy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="neither"):
        LikelihoodLoss(base=None, flow=None)
    with pytest.raises(InputError, match="expected a flow"):
        RealNVP(layers=1)
