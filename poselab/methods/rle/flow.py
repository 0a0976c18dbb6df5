"""A normalising flow in two dimensions: a learnt density of regression errors."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from poselab.structures import InputError

_LOG_TWO_PI = math.log(2 * math.pi)


class RealNVP(nn.Module):
    """Affine couplings that map points (x, y) to a standard normal distribution.

    Each coupling scales and shifts one axis by two small networks of the other; axes alternate.
    A network has ``layers`` linear layers, ``hidden`` wide, with leaky ReLUs between; that of the
    scale ends in tanh. Linear layers start as PyTorch makes them: the authors' ``_init``, a
    hundredth of that, is defined and never called (mmpose starts close to the identity).
    Source: RealNVP, Dinh et al. 2017, equations 7 and 8, in the size that residual log-likelihood
    estimation uses (Li et al. 2021, table 6: 3 x 64), as in their code.

    Raises:
        InputError: fewer than one coupling, two layers or one neuron.
    """

    def __init__(self, layers: int = 3, hidden: int = 64, couplings: int = 6) -> None:
        super().__init__()
        if layers < 2 or hidden < 1 or couplings < 1:
            raise InputError(
                "expected a flow of 2 layers, 1 neuron and 1 coupling or more, got "
                f"layers {layers}, hidden {hidden}, couplings {couplings}"
            )
        self.scales = nn.ModuleList(
            nn.Sequential(_network(layers, hidden), nn.Tanh()) for _ in range(couplings)
        )
        self.shifts = nn.ModuleList(_network(layers, hidden) for _ in range(couplings))

    def log_density(self, points: Tensor) -> Tensor:
        """Logarithm (…) of the density at points (…, 2), in float32 also under autocast."""
        with torch.autocast(points.device.type, enabled=False):
            normal, log_volume = self._to_normal(points.float())
            return log_volume - 0.5 * normal.square().sum(-1) - _LOG_TWO_PI

    def _to_normal(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points (…, 2) mapped to normal ones, and the logarithm (…) of the change of area."""
        axes = [points[..., :1], points[..., 1:]]
        log_volume = torch.zeros_like(points[..., 0])
        for i in reversed(range(len(self.scales))):
            moved, kept = axes[i % 2], axes[1 - i % 2]
            scale, shift = self.scales[i](kept), self.shifts[i](kept)
            axes[i % 2] = (moved - shift) * torch.exp(-scale)
            log_volume = log_volume - scale[..., 0]
        return torch.cat(axes, dim=-1), log_volume


def _network(layers: int, hidden: int) -> nn.Sequential:
    """One number in, one number out."""
    widths = [1, *[hidden] * (layers - 1), 1]
    steps: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        steps += [nn.Linear(inputs, outputs), nn.LeakyReLU()]
    for parameter in steps[0].parameters():
        # The authors' first layer has a second input, always zero, that narrows PyTorch's range.
        nn.init.uniform_(parameter, -math.sqrt(0.5), math.sqrt(0.5))
    return nn.Sequential(*steps[:-1])
