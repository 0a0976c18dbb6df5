"""Where maps are highest."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def nearest(cells: Tensor) -> Tensor:
    """The whole cell that each position falls into; halves go up."""
    return torch.floor(cells + 0.5)


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (…, 2) of the highest value of maps (…, h, w), and that value (…).

    The first in reading order where several are.
    """
    index, values = places(maps.flatten(-2))
    return cells_of(index, maps.shape[-1]), values


def places(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Index (…) int64 of the first highest value of rows (…, n), and that value."""
    if _numpy_may_look(rows):
        index = torch.as_tensor(rows.detach().numpy().argmax(-1))
        return index, rows.gather(-1, index[..., None])[..., 0]
    values, index = rows.max(dim=-1)
    return index, values


def _numpy_may_look(rows: Tensor) -> bool:
    """On CPUs NumPy finds a maximum's place ten times as fast; it cannot be traced, though."""
    plain = rows.device.type == "cpu" and rows.dtype in (torch.float32, torch.float64)
    return plain and not (torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export())


def cells_of(index: Tensor, width: int) -> Tensor:
    """Cells (…, 2) float32 of flat map indices y·w + x."""
    return torch.stack([index % width, index.div(width, rounding_mode="floor")], dim=-1).float()


def values_at(maps: Tensor, index: Tensor) -> Tensor:
    """Values (…, N) of maps (…, h, w) at flat indices y·w + x (…, N)."""
    return maps.flatten(-2).gather(-1, index)


def non_maximum_suppression(maps: Tensor, window: int = 5) -> Tensor:
    """Maps (B, K, h, w) with everything but the maxima of a window·window square set to zero."""
    return torch.where(maps == sliding_max(maps, window), maps, torch.zeros_like(maps))


def sliding_max(maps: Tensor, window: int) -> Tensor:
    """The largest value (B, K, h, w) in the odd window·window square around every cell.

    One axis after the other by shifted maxima, on CPUs ten times as fast as max pooling.
    """
    half = window // 2
    for axis, pad in ((-1, (half, half)), (-2, (0, 0, half, half))):
        padded = functional.pad(maps, pad, value=-math.inf)
        length = maps.shape[axis]
        maps = padded.narrow(axis, 0, length)
        for i in range(1, window):
            maps = torch.maximum(maps, padded.narrow(axis, i, length))
    return maps
