"""The loss of compositional pose regression: positions of joints relative to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poselab.methods.compositional.codec import sum_bones
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.methods.compositional.codec import BoneTarget
    from poselab.outputs import Coordinates

_PAIRS = ("joint", "bone", "both", "all")


class CompositionalLoss(nn.Module):
    """L1 between relative positions of pairs of joints, each the sum of the bones between them.

    pairs: "all" pairs of joints; "joint": each joint and the origin, the centre of the input;
    "bone": each joint and its parent; "both" of these. The origin counts as a joint of "all".
    With ``normalise`` a pair's error along each axis is divided by the standard deviation of its
    relative position in the ground truth, at least ``floor`` sides of the input; it is taken over
    the labelled people of the batch, where the paper takes it over the data set. The mean over
    pairs whose joints are both labelled, and both axes; zero where there are none.
    Source: Sun et al. 2017, section 3.2.

    Raises:
        InputError: unknown pairs, or a floor not above zero.
    """

    def __init__(
        self,
        pairs: Literal["joint", "bone", "both", "all"] = "all",
        normalise: bool = True,
        floor: float = 0.02,
    ) -> None:
        super().__init__()
        if pairs not in _PAIRS:
            raise InputError(f"expected pairs to be one of {', '.join(_PAIRS)}, got {pairs!r}")
        if not floor > 0:
            raise InputError(f"expected a floor above 0 sides of the input, got {floor}")
        self.pairs, self.normalise, self.floor = pairs, normalise, floor

    def forward(self, output: Coordinates, target: BoneTarget) -> dict[str, Tensor]:
        """{"pairs": scalar}."""
        joints = sum_bones(output.xy.float(), target.paths)
        predicted, true = _relative(joints), _relative(target.xy)
        labelled = functional.pad(target.weight, (1, 0), value=1.0)
        weight = labelled[:, :, None] * labelled[:, None, :] * self._pairs(target.parents)
        weight = weight[..., None]
        error = (predicted - true).abs()
        if self.normalise:
            count = weight.sum(0, keepdim=True).clamp(min=1)
            mean = (true * weight).sum(0, keepdim=True) / count
            variance = ((true - mean).square() * weight).sum(0, keepdim=True) / count
            # Pairs that hardly vary in a small batch would otherwise dominate the loss.
            error = error / variance.sqrt().clamp(min=self.floor)
        return {"pairs": (error * weight).sum() / (2 * weight.sum()).clamp(min=1)}

    def _pairs(self, parents: Tensor) -> Tensor:
        """One for pairs (K + 1, K + 1) that count, each once, else zero; the origin is index 0."""
        ones = torch.ones(len(parents) + 1, len(parents) + 1, device=parents.device)
        if self.pairs == "all":
            return ones.triu(1)
        with_origin = functional.one_hot(torch.zeros_like(parents), len(ones))
        with_parent = functional.one_hot(parents + 1, len(ones))
        chosen = {"joint": with_origin, "bone": with_parent, "both": with_origin | with_parent}
        return functional.pad(chosen[self.pairs].T, (1, 0)).float()


def _relative(xy: Tensor) -> Tensor:
    """Positions (B, K + 1, K + 1, 2) of column joints relative to row joints, origin first."""
    whole = functional.pad(xy, (0, 0, 1, 0))
    return whole[:, None] - whole[:, :, None]
