"""The loss of compositional pose regression: where joints lie seen from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.methods.compositional.codec import BoneTarget
    from poselab.outputs import Coordinates

_PAIRS = ("joint", "bone", "both", "all")


class CompositionalLoss(nn.Module):
    """L1 between relative positions of pairs of joints, each the sum of the bones between them.

    pairs: "all" pairs of joints; "joint": each joint and the origin, the centre of the input;
    "bone": each joint and its parent; "both" of these. The origin counts as a joint of "all".
    With ``normalise`` a pair's error counts in standard deviations of its true relative position
    along either axis, at least ``floor`` sides of the input; they are taken over the labelled
    people of the batch, where the paper takes them over the data set. The mean over pairs whose
    joints are both labelled, and both axes; zero where there are none.
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
        joints = (target.paths[..., None] * output.xy.float()[:, None]).sum(2)
        found, true = _relative(joints), _relative(target.xy)
        labelled = functional.pad(target.weight, (1, 0), value=1.0)
        weight = labelled[:, :, None] * labelled[:, None, :] * self._chosen(target.parents)
        weight = weight[..., None]
        error = (found - true).abs()
        if self.normalise:
            error = error / _deviation(true, weight).clamp(min=self.floor)
        return {"pairs": (error * weight).sum() / (2 * weight.sum()).clamp(min=1)}

    def _chosen(self, parents: Tensor) -> Tensor:
        """Which pairs (K + 1, K + 1) count, each once; the origin is number 0."""
        ones = torch.ones(len(parents) + 1, len(parents) + 1, device=parents.device)
        if self.pairs == "all":
            return ones.triu(1)
        with_origin = functional.one_hot(torch.zeros_like(parents), len(ones))
        with_parent = functional.one_hot(parents + 1, len(ones))
        kinds = {"joint": with_origin, "bone": with_parent, "both": with_origin | with_parent}
        return functional.pad(kinds[self.pairs].T, (1, 0)).float()


def _relative(xy: Tensor) -> Tensor:
    """Positions (B, K + 1, K + 1, 2) of each column's joint seen from each row's, origin first."""
    whole = functional.pad(xy, (0, 0, 1, 0))
    return whole[:, None] - whole[:, :, None]


def _deviation(values: Tensor, weight: Tensor) -> Tensor:
    """Standard deviation over the batch, the leading axis, which is kept."""
    count = weight.sum(0, keepdim=True).clamp(min=1)
    mean = (values * weight).sum(0, keepdim=True) / count
    return (((values - mean).square() * weight).sum(0, keepdim=True) / count).sqrt()
