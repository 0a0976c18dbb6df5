"""A small detector of people that trains from random weights in minutes: people as points.

Source: CenterNet, Zhou et al. 2019: a heat map of people's middles, and at each middle the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from poselab.heatmaps.peaks import nearest
from poselab.models.backbones import TinyResNet
from poselab.models.necks import FuseNeck
from poselab.models.pose_net import PoseNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.features import Feature
    from poselab.structures import Size

STRIDE = 4
_RARE = -4.6
"""Logit of a probability of one hundredth: few cells hold a person's middle."""


class Points(NamedTuple):
    """heat (B, 1, h, w) logits of people's middles; sides (B, 4, h, w) distances in cells from a
    cell to the left, top, right and bottom of the box that it belongs to."""

    heat: Tensor
    sides: Tensor


class PointHead(nn.Module):
    """Two 1×1 convolutions on the last feature."""

    def __init__(self, *, features: Sequence[Feature]) -> None:
        super().__init__()
        self.heat = nn.Conv2d(features[-1].channels, 1, 1)
        self.sides = nn.Conv2d(features[-1].channels, 4, 1)
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, _RARE)

    def forward(self, maps: list[Tensor]) -> Points:
        return Points(self.heat(maps[-1]), self.sides(maps[-1]).exp())


def point_net(size: Size, widths: Sequence[int], channels: int) -> PoseNet:
    """Images (B, 3, H, W) float → :class:`Points` at a stride of four."""
    backbone = TinyResNet(input_size=size, widths=widths)
    neck = FuseNeck(features=backbone.features, channels=channels, reduction=STRIDE)
    return PoseNet(backbone=backbone, neck=neck, head=PointHead(features=neck.features))


def cells_of(boxes: Tensor) -> Tensor:
    """Edges (…, 4) x y x y of input pixels, which are at -0.5 and W - 0.5 at the input's borders,
    in cells of the map, counted alike."""
    return (boxes + 0.5) / STRIDE - 0.5


def heat_of(edges: Tensor, present: Tensor, size: Size) -> Tensor:
    """The heat map (B, 1, h, w) of people with ``edges`` (B, P, 4) in cells, ``present`` (B, P).

    A Gaussian about each middle, an eighth of the box wide along either axis, so that long people
    have long peaks; its cell nearest to the middle is one.
    """
    middle = nearest((edges[..., :2] + edges[..., 2:]) / 2)
    deviation = _deviation(edges)
    profiles = []
    for axis in (0, 1):
        steps = torch.arange(size[1 - axis], device=edges.device) - middle[..., axis, None]
        profiles.append(torch.exp(-0.5 * (steps / deviation[..., axis, None]) ** 2))
    x, y = profiles
    return (y[..., :, None] * x[..., None, :] * present[..., None, None]).amax(dim=1, keepdim=True)


class PointLoss(nn.Module):
    """Focal loss of the heat, and one minus the generalised IoU of the boxes around the middles.

    The nine cells around a middle all learn the box, each by the height of the person's Gaussian;
    ``box`` is the weight of that part.
    Source: CenterNet, Zhou et al. 2019, equation 1; TTFNet, Liu et al. 2020, section 3.3;
    Rezatofighi et al. 2019, algorithm 1.
    """

    def __init__(self, box: float = 3.0) -> None:
        super().__init__()
        self.box = box

    def forward(self, found: Points, edges: Tensor, present: Tensor) -> dict[str, Tensor]:
        """{"heat", "box"} for edges (B, P, 4) in cells, present (B, P)."""
        size = (found.heat.shape[-2], found.heat.shape[-1])
        heat = _focal(found.heat, heat_of(edges, present, size))
        image, person = present.nonzero(as_tuple=True)
        wanted = edges[image, person]
        cells, weight = _around(wanted, size)
        sides = found.sides[image[:, None], :, cells[..., 1], cells[..., 0]]
        loss = generalized_box_iou_loss(_edges_at(cells, sides), wanted[:, None].expand_as(sides))
        box = (loss * weight).sum() / weight.sum().clamp(min=1e-6)
        return {"heat": heat, "box": self.box * box}


def _around(edges: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """The nine cells (N, 9, 2) around the middles of boxes (N, 4), and their weights (N, 9)."""
    middle = nearest((edges[:, :2] + edges[:, 2:]) / 2)[:, None]
    steps = torch.arange(-1.0, 2.0, device=edges.device)
    cells = middle + torch.cartesian_prod(steps, steps)
    deviation = _deviation(edges)[:, None]
    weight = torch.exp(-0.5 * ((cells - middle) / deviation) ** 2).prod(dim=-1)
    limits = cells.new_tensor([size[1] - 1, size[0] - 1])
    inside = ((cells >= 0) & (cells <= limits)).all(dim=-1)
    return cells.clamp(min=0).minimum(limits).long(), weight * inside


def _deviation(edges: Tensor) -> Tensor:
    """(…, 2) an eighth of the box (…, 4) along either axis, but half a cell at least."""
    return ((edges[..., 2:] - edges[..., :2]) / 8).clamp(min=0.5)


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """CenterNet's: every cell of height one is a middle, and there may be several."""
    positive = heat > 0.999
    found = logits.sigmoid()
    hit = (1 - found) ** 2 * -functional.logsigmoid(logits)
    false = (1 - heat) ** 4 * found**2 * -functional.logsigmoid(-logits)
    return torch.where(positive, hit, false).sum() / positive.sum().clamp(min=1)


def _edges_at(cells: Tensor, sides: Tensor) -> Tensor:
    """Edges (…, 4) from cells (…, 2) and the sides (…, 4) there."""
    return torch.cat([cells - sides[..., :2], cells + sides[..., 2:]], dim=-1)


def people_at(found: Points, most: int = 50) -> tuple[Tensor, Tensor]:
    """Edges (B, N, 4) x y x y in input pixels and scores (B, N) of the highest local maxima.

    A maximum is the highest of the 3×3 cells around it: CenterNet's way to do without NMS.
    """
    heat = found.heat.sigmoid()
    peaks = heat * (functional.max_pool2d(heat, 3, 1, 1) == heat)
    scores, place = peaks.flatten(1).topk(min(most, peaks[0].numel()))
    cells = torch.stack([place % heat.shape[-1], place // heat.shape[-1]], dim=-1)
    sides = found.sides.flatten(2).gather(2, place[:, None].expand(-1, 4, -1)).transpose(1, 2)
    return (_edges_at(cells, sides) + 0.5) * STRIDE - 0.5, scores
