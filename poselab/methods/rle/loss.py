"""Regression by maximum likelihood, with a learnt density of the errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from poselab.methods.rle.flow import RealNVP
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.methods.rle.head import UncertainCoordinates
    from poselab.outputs import CoordinateTarget

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def _gaussian(error: Tensor) -> Tensor:
    return 0.5 * error.square() + _HALF_LOG_TWO_PI


def _laplace(error: Tensor) -> Tensor:
    return error.abs() / math.sqrt(2) + _HALF_LOG_TWO_PI


_BASES: dict[str, Callable[[Tensor], Tensor]] = {"gaussian": _gaussian, "laplace": _laplace}


class LikelihoodLoss(nn.Module):
    """Minus the log-likelihood of the ground truth, given positions and their deviations.

    base: the assumed density of errors divided by their deviation; null: none, so that the flow is
    the density (direct likelihood estimation). flow: makes the density that corrects the base
    (residual likelihood estimation), trained along with the network; null: only the base, plain
    regression with a deviation.
    With e = (output - ground truth)/σ an axis costs log σ + base(e), and with a flow log σ -
    log G(e) on top. As in the authors' code, G is the density of both axes but is subtracted from
    each, and the Laplace term is |e|/√2 + log(2π)/2. The sum over axes and labelled keypoints, then
    the mean over inputs. Values below zero are possible: a density may exceed one.
    Source: Li et al. 2021, section 3, and their released code.

    Raises:
        InputError: an unknown base, or neither a base nor a flow.
    """

    def __init__(
        self,
        base: Literal["gaussian", "laplace"] | None = "laplace",
        flow: Callable[[], RealNVP] | None = RealNVP,
    ) -> None:
        super().__init__()
        if base is not None and base not in _BASES:
            raise InputError(f"expected a base of gaussian, laplace or null, got {base!r}")
        if base is None and flow is None:
            raise InputError("expected a base density, a flow or both, got neither; name one")
        self.base = None if base is None else _BASES[base]
        self.flow = None if flow is None else flow()

    def forward(self, output: UncertainCoordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"likelihood": scalar}, per input."""
        sigma = output.sigma.float()
        weight = target.weight[..., None]
        # Zero where not labelled: far-off errors could overflow in the flow before weights count.
        error = (output.xy.float() - target.xy) / sigma * weight
        cost = sigma.log() * ((self.base is not None) + (self.flow is not None))
        if self.base is not None:
            cost = cost + self.base(error)
        if self.flow is not None:
            cost = cost - self.flow.log_density(error)[..., None]
        return {"likelihood": (cost * weight).sum() / len(cost)}
