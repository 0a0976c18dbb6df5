"""Losses of integral regression: on the position, and on the map that it is the mean of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poselab import heatmaps as maps
from poselab.losses.coordinates import CoordinateLoss
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.methods.integral.head import SoftArgmaxCoordinates
    from poselab.outputs import Coordinates, CoordinateTarget

    MapCost = Callable[[SoftArgmaxCoordinates, Tensor, float], Tensor]

_TINY = 1e-24  # what DSNT's authors keep logarithms away from zero with


class DistanceLoss(nn.Module):
    """The mean Euclidean distance of labelled keypoints, in sides of the input.

    Twice this is the loss of DSNT (Nibali et al. 2018), who count from -1 to 1.
    """

    def forward(self, output: Coordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar}."""
        distance = torch.linalg.vector_norm(output.xy.float() - target.xy, dim=-1)
        return {"coordinates": _mean_labelled(distance, target.weight)}


class IntegralLoss(nn.Module):
    """A loss on positions, a cost of the maps that they are means of, or both.

    position makes the first (null: none); maps names the second (null: none), which counts
    ``factor`` times and is averaged over labelled keypoints:

    - "gaussian": half the mean squared difference from a Gaussian of height one (H1, I1 of Sun et
      al. 2018); "binary" and "categorical": cross entropy with a single cell, of a sigmoid in
      every cell, summed (H2, I2), and of one softmax over all cells (H3, I3);
    - "js" and "kl": divergence of the map as a distribution from a Gaussian that sums to one;
      "variance": squared difference of its variances along both axes from sigma², in cells⁴
      (regularisers of DSNT, Nibali et al. 2018, as in their package).

    sigma: of all those Gaussians, in map cells.

    Raises:
        InputError: an unknown cost, a sigma or factor not above zero, or nothing to minimise.
    """

    def __init__(
        self,
        position: Callable[[], nn.Module] | None = CoordinateLoss,
        maps: Literal["gaussian", "binary", "categorical", "js", "kl", "variance"] | None = None,
        factor: float = 1.0,
        sigma: float = 2.0,
    ) -> None:
        super().__init__()
        if maps is not None and maps not in _COSTS:
            raise InputError(
                f"expected maps to be null or one of {', '.join(_COSTS)}, got {maps!r}"
            )
        if not (sigma > 0 and factor > 0):
            raise InputError(f"expected sigma and factor above 0, got {sigma} and {factor}")
        if position is None and maps is None:
            raise InputError("expected a loss on position, on maps or on both, got neither")
        self.position = None if position is None else position()
        self.cost = None if maps is None else _COSTS[maps]
        self.factor, self.sigma = factor, sigma

    def forward(self, output: SoftArgmaxCoordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar, "maps": scalar}, or one of them."""
        parts: dict[str, Tensor] = {}
        if self.position is not None:
            parts |= self.position(output, target)
        if self.cost is not None:
            h, w = output.maps.shape[-2:]
            cells = (target.xy + 0.5) * target.xy.new_tensor([w, h]) - 0.5
            cost = self.cost(output, cells, self.sigma)
            parts["maps"] = self.factor * _mean_labelled(cost, target.weight)
        return parts


def _mean_labelled(cost: Tensor, weight: Tensor) -> Tensor:
    """The mean of costs (B, K) by weight (B, K), zero where nothing weighs."""
    return (cost * weight).sum() / weight.sum().clamp(min=1)


def _gaussian(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    drawn = maps.gaussians(cells, output.maps.shape[-2:], sigma, biased=False)
    raw: Tensor = output.maps.float()
    return 0.5 * (raw - drawn).square().mean(dim=(-2, -1))


def _one_cell(output: SoftArgmaxCoordinates, cells: Tensor) -> Tensor:
    """The flat index (B, K) of the cell that each position falls into."""
    h, w = (int(length) for length in output.maps.shape[-2:])
    x, y = maps.nearest(cells).long().unbind(-1)
    return y.clamp(0, h - 1) * w + x.clamp(0, w - 1)


def _binary(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    flat: Tensor = output.maps.float().flatten(-2)
    hit = flat.gather(-1, _one_cell(output, cells)[..., None])[..., 0]
    return functional.softplus(flat).sum(-1) - hit


def _categorical(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    logs: Tensor = output.maps.float().flatten(-2).log_softmax(-1)
    hit = logs.gather(-1, _one_cell(output, cells)[..., None])[..., 0]
    return -hit


def _shares(output: SoftArgmaxCoordinates) -> Tensor:
    """The maps (B, K, h, w) as distributions."""
    logits: Tensor = output.log_weights.float()
    return logits.flatten(-2).softmax(-1).view_as(logits)


def _normal(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    """Gaussians (B, K, h, w) around cells that sum to one."""
    drawn = maps.gaussians(cells, output.maps.shape[-2:], sigma, biased=False)
    return drawn / (drawn.sum((-2, -1), keepdim=True) + _TINY)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """Kullback-Leibler divergence (B, K) of q from p."""
    return (p * ((p + _TINY).log() - (q + _TINY).log())).sum((-2, -1))


def _kl(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    return _divergence(_shares(output), _normal(output, cells, sigma))


def _js(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    found, wanted = _shares(output), _normal(output, cells, sigma)
    middle = (found + wanted) / 2
    return (_divergence(found, middle) + _divergence(wanted, middle)) / 2


def _variance(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    shares = _shares(output)
    x, y = _spread(shares.sum(-2)), _spread(shares.sum(-1))
    return (x - sigma**2).square() + (y - sigma**2).square()


def _spread(shares: Tensor) -> Tensor:
    """The variance (B, K) in cells² of distributions (B, K, n)."""
    steps = torch.arange(shares.shape[-1], device=shares.device, dtype=shares.dtype)
    mean = (shares * steps).sum(-1, keepdim=True)
    return (shares * (steps - mean).square()).sum(-1)


_COSTS: dict[str, MapCost] = {
    "gaussian": _gaussian,
    "binary": _binary,
    "categorical": _categorical,
    "js": _js,
    "kl": _kl,
    "variance": _variance,
}
