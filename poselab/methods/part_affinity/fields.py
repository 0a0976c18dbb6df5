"""What a network with part affinity fields outputs, and how fields are drawn and integrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from poselab.grouping.limbs import LimbGrouping
    from poselab.structures import Size


class PartFields(NamedTuple):
    """heatmaps (B, K, h, w), and fields (B, L, 2, h, w): in every cell of limb L the x and y of the
    unit vector from its first keypoint to its second. A stage that outputs only one has None for
    the other."""

    heatmaps: Tensor | None
    fields: Tensor | None


class PartFieldTarget(NamedTuple):
    """heatmaps and fields as in :class:`PartFields`; weight (B, 1, h, w) or (B, 1, 1, 1), zero for
    cells without loss; present (B, P, K) bool, the keypoints that are drawn."""

    heatmaps: Tensor
    fields: Tensor
    weight: Tensor
    present: Tensor


def draw_fields(start: Tensor, end: Tensor, drawn: Tensor, size: Size, width: float) -> Tensor:
    """Fields (B, L, 2, h, w) of limbs from cells (B, P, L, 2) to others, those ``drawn`` (B, P, L).

    A limb covers the cells that lie at most ``width`` cells beside it or beyond its ends. Where
    limbs of several people meet, the vectors are averaged.
    Source: Cao et al. 2017, equations 8 and 9; cells beyond the ends as in the authors' putVecMaps.
    """
    h, w = size
    total = start.new_zeros(start.shape[0], start.shape[2], 2, h, w)
    count = start.new_zeros(start.shape[0], start.shape[2], 1, h, w)
    y, x = (torch.arange(n, device=start.device, dtype=start.dtype) for n in (h, w))
    for person in range(start.shape[1]):  # all at once would take P times the memory
        rows = drawn[:, person].any(1)
        if not rows.any():
            continue
        a, along = start[rows, person], end[rows, person] - start[rows, person]
        length = along.norm(dim=-1, keepdim=True)
        unit = along / length.clamp(min=1e-6)
        dx, dy = x - a[..., 0, None], y - a[..., 1, None]
        ux, uy = unit[..., 0, None, None], unit[..., 1, None, None]
        position = dx[..., None, :] * ux + dy[..., :, None] * uy
        distance = (dx[..., None, :] * uy - dy[..., :, None] * ux).abs()
        covered = (position >= -width) & (position <= length[..., None] + width)
        covered &= distance <= width
        # Ends that share a place have no direction.
        covered &= (drawn[rows, person] & (length[..., 0] > 0))[..., None, None]
        total[rows] += covered[:, :, None] * unit[..., None, None]
        count[rows] += covered[:, :, None]
    return total / count.clamp(min=1)


def limb_scores(fields: Tensor, start: Tensor, end: Tensor, rules: LimbGrouping) -> Tensor:
    """How well fields (L, 2, h, w) lead from each cell (L, M, 2) to each of the cells (L, N, 2).

    The result (L, M, N) is the mean, over ``rules.samples`` points from end to end, of the field
    along the limb where that is above ``rules.limb_threshold``; less for limbs longer than
    ``rules.long_limb``; -infinity where no more than 0.8 of the points are above the threshold.
    Ends less than half a cell apart, which have no direction, score the threshold.
    Source: Cao et al. 2017, equations 10 and 11; the share of 0.8 and long limbs from Lightweight
    OpenPose (Osokin 2018, modules/keypoints.py), which leaves out pairs without a direction.
    """
    h, w = fields.shape[-2:]
    along = end[:, None] - start[:, :, None]  # L M N 2
    length = along.norm(dim=-1).clamp(min=1e-6)
    unit = along / length[..., None]
    steps = torch.linspace(0, 1, rules.samples, device=fields.device, dtype=fields.dtype)
    points = start[:, :, None, None] + steps[:, None] * along[..., None, :]  # L M N S 2
    x, y = (points[..., i].add(0.5).floor().clamp(0, n - 1).long() for i, n in ((0, w), (1, h)))
    index = (y * w + x).flatten(1)
    fx, fy = (fields[:, i].flatten(1).gather(1, index).view(x.shape) for i in (0, 1))
    value = fx * unit[..., 0, None] + fy * unit[..., 1, None]
    passing = value > rules.limb_threshold
    number = passing.sum(-1)
    score: Tensor = (value * passing).sum(-1) / number.clamp(min=1)
    if rules.long_limb is not None:
        score = score + (rules.long_limb * h / length - 1).clamp(max=0)
    score = score.where(number > 0.8 * rules.samples, -torch.inf)
    return score.where(length >= 0.5, rules.limb_threshold)
