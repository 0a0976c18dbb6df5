"""Losses on normalised coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn
from torch.nn import functional

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import Coordinates, CoordinateTarget


class CoordinateLoss(nn.Module):
    """L1 or smooth L1 between positions in units of the input's sides.

    The mean over labelled keypoints and both axes, zero where nothing is labelled. ``beta`` is
    where smooth L1 turns from square to linear, in the same units (0.01 is 1.92 pixels of a width
    of 192).

    Raises:
        InputError: an unknown kind, or beta not above zero.
    """

    def __init__(self, kind: Literal["l1", "smooth_l1"] = "l1", beta: float = 0.01) -> None:
        super().__init__()
        if kind not in ("l1", "smooth_l1"):
            raise InputError(f"expected loss kind l1 or smooth_l1, got {kind!r}")
        if not beta > 0:
            raise InputError(f"expected beta above 0, got {beta}")
        self.beta = 0.0 if kind == "l1" else beta

    def forward(self, output: Coordinates, target: CoordinateTarget) -> dict[str, Tensor]:
        """{"coordinates": scalar}."""
        error = functional.smooth_l1_loss(
            output.xy.float(), target.xy, reduction="none", beta=self.beta
        )
        weight = target.weight[..., None]
        labelled = weight.sum().clamp(min=1) * error.shape[-1]
        return {"coordinates": (error * weight).sum() / labelled}
