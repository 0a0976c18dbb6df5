"""Losses of integral regression: on the position, and on the heatmap that it is the mean of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poselab.heatmaps import gaussians, nearest_cell
from poselab.losses.coordinates import CoordinateLoss
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.methods.integral.head import SoftArgmaxCoordinates
    from poselab.outputs import Coordinates, CoordinateTarget
    from poselab.structures import Size

    HeatmapTerm = Callable[[SoftArgmaxCoordinates, Tensor, float], Tensor]

_EPSILON = 1e-24  # keeps logarithms finite; the value of DSNT's code


class DistanceLoss(nn.Module):
    """The mean Euclidean distance of labelled keypoints, in units of the input's sides.

    Half the loss of DSNT (Nibali et al. 2018), whose coordinates go from -1 to 1.
    """

    def forward(self, output: Coordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar}."""
        distance = torch.linalg.vector_norm(output.xy.float() - target.xy, dim=-1)
        return {"coordinates": _weighted_mean(distance, target.weight)}


class IntegralLoss(nn.Module):
    """A loss on positions, a term on the heatmaps that they are means of, or both.

    position: makes the loss on positions (null: none). heatmaps: the term on heatmaps (null: none),
    multiplied by ``factor`` and averaged over the keypoints with a weight that lie on the heatmap:

    - "gaussian": half the mean squared difference from a Gaussian of height one (H1, I1 of Sun et
      al. 2018); "binary" and "categorical": cross entropy with a single cell, of a sigmoid in
      every cell, summed (H2, I2), and of one softmax over all cells (H3, I3);
    - "js" and "kl": divergence of the heatmap as a distribution from a Gaussian that sums to one;
      "variance": squared difference of its variances along both axes from sigma², in cells⁴
      (regularisers of DSNT, Nibali et al. 2018, as in their package).

    sigma: of all these Gaussians, in heatmap cells.

    Raises:
        InputError: an unknown term, a sigma or factor not above zero, or nothing to minimise.
    """

    def __init__(
        self,
        position: Callable[[], nn.Module] | None = CoordinateLoss,
        heatmaps: Literal["gaussian", "binary", "categorical", "js", "kl", "variance"]
        | None = None,
        factor: float = 1.0,
        sigma: float = 2.0,
    ) -> None:
        super().__init__()
        if heatmaps is not None and heatmaps not in _TERMS:
            raise InputError(
                f"expected heatmaps to be null or one of {', '.join(_TERMS)}, got {heatmaps!r}"
            )
        if not (sigma > 0 and factor > 0):
            raise InputError(f"expected sigma and factor above 0, got {sigma} and {factor}")
        if position is None and heatmaps is None:
            raise InputError("expected a loss on position, on heatmaps or on both, got neither")
        self.position = None if position is None else position()
        self.heatmap_term = None if heatmaps is None else _TERMS[heatmaps]
        self.factor, self.sigma = factor, sigma

    def forward(self, output: SoftArgmaxCoordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar, "heatmaps": scalar}, or one of them."""
        parts: dict[str, Tensor] = {}
        if self.position is not None:
            parts |= self.position(output, target)
        if self.heatmap_term is not None:
            h, w = output.heatmaps.shape[-2:]
            cells = (target.xy + 0.5) * target.xy.new_tensor([w, h]) - 0.5
            cost = self.heatmap_term(output, cells, self.sigma)
            on_heatmap = (target.xy.abs() <= 0.5).all(-1)
            parts["heatmaps"] = self.factor * _weighted_mean(cost, target.weight * on_heatmap)
        return parts


def _weighted_mean(cost: Tensor, weight: Tensor) -> Tensor:
    """The mean of costs (B, K) by weight (B, K), zero where all weights are zero."""
    return (cost * weight).sum() / weight.sum().clamp(min=1)


def _gaussian(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    target = gaussians(cells, _size(output), sigma, biased=False)
    heatmaps: Tensor = output.heatmaps.float()
    return 0.5 * (heatmaps - target).square().mean(dim=(-2, -1))


def _binary(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    logits: Tensor = output.heatmaps.float().flatten(-2)
    at_target = logits.gather(-1, _target_cell(output, cells)[..., None])[..., 0]
    return functional.softplus(logits).sum(-1) - at_target


def _categorical(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    logs: Tensor = output.heatmaps.float().flatten(-2).log_softmax(-1)
    at_target = logs.gather(-1, _target_cell(output, cells)[..., None])[..., 0]
    return -at_target


def _target_cell(output: SoftArgmaxCoordinates, cells: Tensor) -> Tensor:
    """The flat index (B, K) of the cell that each position falls into."""
    h, w = _size(output)
    x, y = nearest_cell(cells).long().unbind(-1)
    return y.clamp(0, h - 1) * w + x.clamp(0, w - 1)


def _size(output: SoftArgmaxCoordinates) -> Size:
    h, w = output.heatmaps.shape[-2:]
    return int(h), int(w)


def _kl(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    return _divergence(_distribution(output), _target_distribution(output, cells, sigma))


def _js(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    predicted, target = _distribution(output), _target_distribution(output, cells, sigma)
    middle = (predicted + target) / 2
    return (_divergence(predicted, middle) + _divergence(target, middle)) / 2


def _variance(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    distribution = _distribution(output)
    x, y = _variance_1d(distribution.sum(-2)), _variance_1d(distribution.sum(-1))
    return (x - sigma**2).square() + (y - sigma**2).square()


def _distribution(output: SoftArgmaxCoordinates) -> Tensor:
    """The heatmaps (B, K, h, w) as distributions."""
    logits: Tensor = output.log_weights.float()
    return logits.flatten(-2).softmax(-1).view_as(logits)


def _target_distribution(output: SoftArgmaxCoordinates, cells: Tensor, sigma: float) -> Tensor:
    """Gaussians (B, K, h, w) around cells that sum to one."""
    target = gaussians(cells, _size(output), sigma, biased=False)
    return target / (target.sum((-2, -1), keepdim=True) + _EPSILON)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """Kullback-Leibler divergence (B, K) of q from p."""
    return (p * ((p + _EPSILON).log() - (q + _EPSILON).log())).sum((-2, -1))


def _variance_1d(distribution: Tensor) -> Tensor:
    """The variance (B, K) in cells² of distributions (B, K, n)."""
    steps = torch.arange(
        distribution.shape[-1], device=distribution.device, dtype=distribution.dtype
    )
    mean = (distribution * steps).sum(-1, keepdim=True)
    return (distribution * (steps - mean).square()).sum(-1)


_TERMS: dict[str, HeatmapTerm] = {
    "gaussian": _gaussian,
    "binary": _binary,
    "categorical": _categorical,
    "js": _js,
    "kl": _kl,
    "variance": _variance,
}
