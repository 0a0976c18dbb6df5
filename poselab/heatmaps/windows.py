"""Small squares cut out of maps around cells."""

from __future__ import annotations

import torch
from torch import Tensor

from poselab.heatmaps.peaks import values_at


def windows(maps: Tensor, cells: Tensor, radius: int, border: str) -> Tensor:
    """The squares (…, 2r + 1, 2r + 1) of maps (…, h, w) around whole cells (…, 2).

    With one axis more, cells (…, N, 2) are N of each map.
    border: what lies outside: "zero", the nearest "edge", or the heatmap "reflect.
    """
    h, w = maps.shape[-2:]
    reach = torch.arange(-radius, radius + 1, device=maps.device)
    x, y = (cells[..., axis, None].long() + reach for axis in (0, 1))
    fold = reflected if border == "reflect" else _clamped
    index = fold(y, h)[..., :, None] * w + fold(x, w)[..., None, :]
    window = values_at(maps, index.flatten(maps.ndim - 2)).reshape(index.shape)
    if border != "zero":
        return window
    known = ((y >= 0) & (y < h))[..., :, None] & ((x >= 0) & (x < w))[..., None, :]
    return torch.where(known, window, torch.zeros_like(window))


def _clamped(index: Tensor, length: int) -> Tensor:
    return index.clamp(0, length - 1)


def reflected(index: Tensor, length: int) -> Tensor:
    """Indices reflected about the first and last cell."""
    return ((length - 1) - ((length - 1) - index.abs()).abs()).clamp(min=0)


def repeat_border(window: Tensor, maps: Tensor, cells: Tensor) -> Tensor:
    """3·3 windows whose cells outside the map repeat the map's border instead."""
    h, w = maps.shape[-2:]
    reach = torch.arange(-1, 2, device=maps.device)
    x, y = cells[..., 0, None].long(), cells[..., 1, None].long()
    rows = (y + reach).clamp(0, h - 1) - y + 1
    columns = (x + reach).clamp(0, w - 1) - x + 1
    index = rows[..., :, None] * 3 + columns[..., None, :]
    return values_at(window, index.flatten(-2)).reshape(window.shape)


def inside(maps: Tensor, cells: Tensor, margin: int, per_axis: bool = False) -> Tensor:
    """Which cells lie at least ``margin`` from the border: (…, 1), or (…, 2) for each axis."""
    h, w = maps.shape[-2:]
    x, y = cells[..., 0], cells[..., 1]
    inside = torch.stack(
        [(x >= margin) & (x < w - margin), (y >= margin) & (y < h - margin)], dim=-1
    )
    return inside if per_axis else inside.all(-1, keepdim=True)
