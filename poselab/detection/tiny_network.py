"""The network of a small detector that trains from random weights in minutes, and its loss.

Source: CenterNet, Zhou et al. 2019: a heatmap of the centres of people's boxes, and at each centre
the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from poselab.heatmaps.peaks import nearest_cell
from poselab.models.backbones import TinyResNet
from poselab.models.necks import FuseNeck
from poselab.models.pose_net import PoseNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo
    from poselab.structures import Size

STRIDE = 4
_INITIAL_LOGIT = -4.6
"""Logit of a probability of one hundredth at the start: few cells hold a box's centre."""


class CentreOutput(NamedTuple):
    """heatmap (B, 1, h, w) logits of boxes' centres; sides (B, 4, h, w) distances in cells from a
    cell to the left, top, right and bottom of its box."""

    heatmap: Tensor
    sides: Tensor


class CentreHead(nn.Module):
    """Two 1×1 convolutions on the last feature map."""

    def __init__(self, *, feature_info: Sequence[FeatureInfo]) -> None:
        super().__init__()
        self.heatmap = nn.Conv2d(feature_info[-1].channels, 1, 1)
        self.sides = nn.Conv2d(feature_info[-1].channels, 4, 1)
        assert self.heatmap.bias is not None
        nn.init.constant_(self.heatmap.bias, _INITIAL_LOGIT)

    def forward(self, features: list[Tensor]) -> CentreOutput:
        return CentreOutput(self.heatmap(features[-1]), self.sides(features[-1]).exp())


def centre_net(size: Size, widths: Sequence[int], channels: int) -> PoseNet:
    """Images (B, 3, H, W) float → :class:`CentreOutput` at a stride of four."""
    backbone = TinyResNet(input_size=size, widths=widths)
    neck = FuseNeck(feature_info=backbone.feature_info, channels=channels, reduction=STRIDE)
    return PoseNet(backbone=backbone, neck=neck, head=CentreHead(feature_info=neck.feature_info))


def to_cells(boxes: Tensor) -> Tensor:
    """Input pixels (…, 4), -0.5 to W - 0.5, as cells of the heatmap, -0.5 to w - 0.5."""
    return (boxes + 0.5) / STRIDE - 0.5


def centre_heatmap(corners: Tensor, present: Tensor, size: Size) -> Tensor:
    """The target (B, 1, h, w) of boxes with ``corners`` (B, P, 4) in cells, ``present`` (B, P).

    A Gaussian about each centre, whose deviation along each axis is an eighth of the box, so that
    long boxes have long peaks; the cell nearest to the centre is one.
    """
    centre = nearest_cell((corners[..., :2] + corners[..., 2:]) / 2)
    deviation = _deviation(corners)
    profiles = []
    for axis in (0, 1):
        steps = torch.arange(size[1 - axis], device=corners.device) - centre[..., axis, None]
        profiles.append(torch.exp(-0.5 * (steps / deviation[..., axis, None]) ** 2))
    x, y = profiles
    return (y[..., :, None] * x[..., None, :] * present[..., None, None]).amax(dim=1, keepdim=True)


class CentreLoss(nn.Module):
    """Focal loss of the heatmap, and one minus the generalised IoU of the boxes around the centres.

    All nine cells around a centre predict the box, each weighted by the height of the person's
    Gaussian; ``box`` weights the second part.
    Source: CenterNet, Zhou et al. 2019, equation 1; TTFNet, Liu et al. 2020, section 3.3;
    Rezatofighi et al. 2019, algorithm 1.
    """

    def __init__(self, box: float = 3.0) -> None:
        super().__init__()
        self.box = box

    def forward(self, output: CentreOutput, corners: Tensor, present: Tensor) -> dict[str, Tensor]:
        """{"heatmap", "box"} for corners (B, P, 4) in cells, present (B, P)."""
        size = (output.heatmap.shape[-2], output.heatmap.shape[-1])
        heatmap = _focal(output.heatmap, centre_heatmap(corners, present, size))
        image, person = present.nonzero(as_tuple=True)
        target = corners[image, person]
        cells, weight = _cells_around(target, size)
        sides = output.sides[image[:, None], :, cells[..., 1], cells[..., 0]]
        loss = generalized_box_iou_loss(_corners_at(cells, sides), target[:, None].expand_as(sides))
        box = (loss * weight).sum() / weight.sum().clamp(min=1e-6)
        return {"heatmap": heatmap, "box": self.box * box}


def _cells_around(corners: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """The nine cells (N, 9, 2) around the centres of boxes (N, 4), and their weights (N, 9)."""
    # Neighbours learn the box too, so that a peak that is a cell off still finds it.
    centre = nearest_cell((corners[:, :2] + corners[:, 2:]) / 2)[:, None]
    steps = torch.arange(-1.0, 2.0, device=corners.device)
    cells = centre + torch.cartesian_prod(steps, steps)
    deviation = _deviation(corners)[:, None]
    weight = torch.exp(-0.5 * ((cells - centre) / deviation) ** 2).prod(dim=-1)
    last = cells.new_tensor([size[1] - 1, size[0] - 1])
    inside = ((cells >= 0) & (cells <= last)).all(dim=-1)
    return cells.clamp(min=0).minimum(last).long(), weight * inside


def _deviation(corners: Tensor) -> Tensor:
    """(…, 2) an eighth of the box (…, 4) along either axis, but half a cell at least."""
    return ((corners[..., 2:] - corners[..., :2]) / 8).clamp(min=0.5)


def _focal(logits: Tensor, heatmap: Tensor) -> Tensor:
    """CenterNet's focal loss: every cell of height one is a centre, and there may be several."""
    positive = heatmap > 0.999
    probability = logits.sigmoid()
    hit = (1 - probability) ** 2 * -functional.logsigmoid(logits)
    false = (1 - heatmap) ** 4 * probability**2 * -functional.logsigmoid(-logits)
    return torch.where(positive, hit, false).sum() / positive.sum().clamp(min=1)


def _corners_at(cells: Tensor, sides: Tensor) -> Tensor:
    """Corners (…, 4) x y x y of boxes with these sides (…, 4) from cells (…, 2)."""
    return torch.cat([cells - sides[..., :2], cells + sides[..., 2:]], dim=-1)


def decode_boxes(output: CentreOutput, max_boxes: int = 50) -> tuple[Tensor, Tensor]:
    """Corners (B, N, 4) x y x y in input pixels and scores (B, N) at the highest local maxima.

    A maximum is the highest of the 3×3 cells around it, which makes NMS unnecessary (CenterNet).
    """
    heatmap = output.heatmap.sigmoid()
    peaks = heatmap * (functional.max_pool2d(heatmap, 3, 1, 1) == heatmap)
    scores, place = peaks.flatten(1).topk(min(max_boxes, peaks[0].numel()))
    cells = torch.stack([place % heatmap.shape[-1], place // heatmap.shape[-1]], dim=-1)
    sides = output.sides.flatten(2).gather(2, place[:, None].expand(-1, 4, -1)).transpose(1, 2)
    return (_corners_at(cells, sides) + 0.5) * STRIDE - 0.5, scores
