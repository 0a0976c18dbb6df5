"""Small squares cut out of heatmaps around cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from poselab.heatmaps.peaks import values_at

if TYPE_CHECKING:
    from torch import Tensor

Border = Literal["zero", "edge", "reflect", "symmetric"]


def windows(heatmaps: Tensor, cells: Tensor, radius: int, border: Border) -> Tensor:
    """The squares (…, 2r + 1, 2r + 1) of heatmaps (…, h, w) around whole cells (…, 2).

    With one axis more, cells (…, N, 2) are N of each heatmap.
    border: what lies outside: "zero", the nearest cell ("edge"), or the heatmap reflected about
    its outermost cells ("reflect") or about their outer edges ("symmetric").
    """
    h, w = heatmaps.shape[-2:]
    reach = torch.arange(-radius, radius + 1, device=heatmaps.device)
    x, y = (cells[..., axis, None].long() + reach for axis in (0, 1))
    columns, rows = bordered(x, w, border), bordered(y, h, border)
    index = rows[..., :, None] * w + columns[..., None, :]
    window = values_at(heatmaps, index.flatten(heatmaps.ndim - 2)).reshape(index.shape)
    if border != "zero":
        return window
    known = ((y >= 0) & (y < h))[..., :, None] & ((x >= 0) & (x < w))[..., None, :]
    return torch.where(known, window, torch.zeros_like(window))


def bordered(index: Tensor, length: int, border: Border) -> Tensor:
    """The indices inside that those outside stand for; the nearest ones for "zero"."""
    if border == "reflect":
        return reflected(index, length)
    if border == "symmetric":
        index = torch.where(index < 0, -1 - index, index)
        return torch.where(index < length, index, 2 * length - 1 - index)
    return index.clamp(0, length - 1)


def reflected(index: Tensor, length: int) -> Tensor:
    """Indices reflected about the first and last cell."""
    # The clamp serves heatmaps so small that an index would have to be reflected twice.
    return ((length - 1) - ((length - 1) - index.abs()).abs()).clamp(min=0)


def repeat_border(window: Tensor, heatmaps: Tensor, cells: Tensor) -> Tensor:
    """3×3 windows whose cells outside the heatmap repeat its border instead."""
    h, w = heatmaps.shape[-2:]
    reach = torch.arange(-1, 2, device=heatmaps.device)
    x, y = cells[..., 0, None].long(), cells[..., 1, None].long()
    rows = (y + reach).clamp(0, h - 1) - y + 1
    columns = (x + reach).clamp(0, w - 1) - x + 1
    index = rows[..., :, None] * 3 + columns[..., None, :]
    return values_at(window, index.flatten(-2)).reshape(window.shape)


def inside(heatmaps: Tensor, cells: Tensor, margin: int, per_axis: bool = False) -> Tensor:
    """Which cells lie at least ``margin`` from the border: (…, 1), or (…, 2) for each axis."""
    h, w = heatmaps.shape[-2:]
    x, y = cells[..., 0], cells[..., 1]
    inside = torch.stack(
        [(x >= margin) & (x < w - margin), (y >= margin) & (y < h - margin)], dim=-1
    )
    return inside if per_axis else inside.all(-1, keepdim=True)
