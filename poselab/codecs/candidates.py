"""Keypoints of many people in heatmaps, before and after a grouping joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from poselab.heatmaps import non_maximum_suppression
from poselab.structures import Poses

if TYPE_CHECKING:
    from poselab.codecs.grid import Grid


class Candidates(NamedTuple):
    """The highest local maxima of each heatmap, best first: values (B, K, M), and where they
    lie (B, K, M), as flat cells y·w + x."""

    values: Tensor
    where: Tensor


def finite(output: Tensor) -> Tensor:
    """An output in full precision, with zeros for NaN and infinity, which would spoil an image."""
    return torch.nan_to_num(output.float(), nan=0.0, posinf=0.0, neginf=0.0)


def candidates(heatmaps: Tensor, most: int) -> Candidates:
    """At most ``most`` local maxima of each of the heatmaps (B, K, h, w)."""
    maxima = non_maximum_suppression(heatmaps).flatten(-2)
    return Candidates(*maxima.topk(min(most, maxima.shape[-1]), dim=-1))


def of_members(values: Tensor, members: Tensor) -> Tensor:
    """What the candidates ``members`` (B, P, K) have in values (B, K, M) or (B, K, M, n); that of
    the first one for -1."""
    chosen = members.clamp(min=0).mT
    if values.ndim == 4:
        chosen = chosen[..., None].expand(-1, -1, -1, values.shape[3])
    return values.gather(2, chosen).transpose(1, 2)


def poses_at(grid: Grid, cells: Tensor, scores: Tensor, detected: Tensor) -> Poses:
    """Poses of keypoints at cells (B, P, K, 2); one of score zero is missing, and lies at the mean
    of its person's."""
    found = (scores > 0)[..., None]
    mean = (cells * found).sum(2, keepdim=True) / found.sum(2, keepdim=True).clamp(min=1)
    points = grid.to_pixels(torch.where(found, cells, mean))
    return Poses(points, scores, valid=detected.any(-1), detected=detected)
