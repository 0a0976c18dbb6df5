"""Gaussian blur as OpenCV computes it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from poselab.heatmaps.windows import bordered, reflected, windows

if TYPE_CHECKING:
    from typing import Literal

    from poselab.heatmaps.windows import Border

_SMALL_KERNELS = {  # OpenCV's fixed kernels for a size given without a sigma
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
}


class Blur(NamedTuple):
    """The blur of heatmaps before they are decoded.

    size: odd, in cells. border: what lies outside: "zero", as in DARK's code and mmpose 1.x;
    "reflect", which moves peaks near a border by up to a cell and a half (UDP, ViTPose), or
    "symmetric" (transformers). rescale: blurred heatmaps get their old "height" back (DARK,
    mmpose), or the "range" from zero to it (UDP), or stay (None). sigma: None: as OpenCV derives it
    from the size.
    """

    size: int = 11
    border: Border = "zero"
    rescale: Literal["height", "range"] | None = "height"
    sigma: float | None = None


def blur_kernel_size(sigma: float) -> int:
    """The odd kernel size for a blur of about ``sigma`` cells: 3, 11, 17 for 1, 2, 3 (DARK)."""
    return 2 * max(int((sigma - 0.8) / 0.3 + 1 + 1e-9), 1) + 1


def blur_kernel(size: int, sigma: float | None = None) -> tuple[float, ...]:
    """A 1-D Gaussian kernel that sums to one; without sigma as OpenCV derives it from the size."""
    if sigma is None:
        if size in _SMALL_KERNELS:
            return _SMALL_KERNELS[size]
        sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    taps = [math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)]
    return tuple(tap / sum(taps) for tap in taps)


def blur_valid(heatmaps: Tensor, kernel: tuple[float, ...]) -> Tensor:
    """Blur (…, h, w) along both axes without padding: (…, h - n + 1, w - n + 1)."""
    return _blur_axis(_blur_axis(heatmaps, kernel, -2), kernel, -1)


def _blur_axis(heatmaps: Tensor, kernel: tuple[float, ...], axis: int) -> Tensor:
    length = heatmaps.shape[axis] - len(kernel) + 1
    total = heatmaps.narrow(axis, 0, length) * kernel[0]
    for i, tap in enumerate(kernel[1:], start=1):
        total.add_(heatmaps.narrow(axis, i, length), alpha=tap)
    return total


def blur_at(heatmaps: Tensor, cells: Tensor, size: int) -> Tensor:
    """The values of :func:`blur_same` at whole cells (…, 2), without blurring the rest."""
    window = windows(heatmaps, cells, size // 2, "reflect")
    return blur_valid(window, blur_kernel(size))[..., 0, 0]


def blurred_windows(
    heatmaps: Tensor, cells: Tensor, radius: int, kernel: tuple[float, ...], border: Border
) -> Tensor:
    """The squares (…, 2r + 1, 2r + 1) of blurred heatmaps (…, h, w) around whole cells (…, 2).

    Cells outside a heatmap may have any value. On CPUs rows are blurred by a matrix product, three
    times as fast as cutting squares out first.
    """
    margin, side = radius + len(kernel) // 2, 2 * radius + 1
    if not _exact_products(heatmaps):
        return blur_valid(windows(heatmaps, cells, margin, border), kernel)
    h, w = heatmaps.shape[-2:]
    x, y = cells.reshape(-1, 2).long().unbind(-1)
    rows = y[:, None] + torch.arange(-margin, margin + 1)
    first = torch.arange(len(y))[:, None] * h
    index = (first + bordered(rows, h, border)).flatten()
    strips = heatmaps.reshape(-1, w).index_select(0, index).view(len(y), -1, w)
    columns = (x[:, None] + torch.arange(-radius, radius + 1)).clamp(0, w - 1).flatten()
    taps = _band(w, kernel, border).to(heatmaps.dtype).index_select(0, columns)
    with torch.autocast("cpu", enabled=False):
        across = strips @ taps.view(len(x), -1, w).mT
    if border == "zero":
        across = across * ((rows >= 0) & (rows < h))[..., None]
    return _blur_axis(across, kernel, -2).reshape(*cells.shape[:-1], side, side)


def blur_same(
    heatmaps: Tensor, kernel: tuple[float, ...], border: Literal["reflect", "zero"] = "reflect"
) -> Tensor:
    """Blur (…, h, w) to the same size, the border reflected as OpenCV does by default, or zeros
    outside.

    On CPUs this multiplies with banded matrices, 20 times as fast, unless the user allows matrix
    products of reduced precision.
    """
    if _exact_products(heatmaps):
        rows, columns = (_band(n, kernel, border).to(heatmaps.dtype) for n in heatmaps.shape[-2:])
        with torch.autocast("cpu", enabled=False):
            return rows @ (heatmaps @ columns.T)
    half = len(kernel) // 2
    if border == "zero":
        return blur_valid(functional.pad(heatmaps, [half] * 4), kernel)
    for axis in (-2, -1):
        length = heatmaps.shape[axis]
        steps = torch.arange(-half, length + half, device=heatmaps.device)
        heatmaps = heatmaps.index_select(axis, reflected(steps, length))
    return blur_valid(heatmaps, kernel)


def _exact_products(heatmaps: Tensor) -> bool:
    """Whether matrix products round as float32 does."""
    return heatmaps.device.type == "cpu" and torch.get_float32_matmul_precision() != "medium"


@lru_cache(maxsize=32)
def _band(length: int, kernel: tuple[float, ...], border: Border) -> Tensor:
    """The matrix (n, n) float64 that blurs a row of n cells."""
    # The cached tensor outlives this call, and a later caller may need gradients through it.
    with torch.inference_mode(False):
        steps = torch.arange(length)
        matrix = torch.zeros(length, length, dtype=torch.float64)
        for i, tap in enumerate(kernel, start=-(len(kernel) // 2)):
            known = (steps + i >= 0) & (steps + i < length) if border == "zero" else True
            matrix[steps, bordered(steps + i, length, border)] += tap * known
    return matrix
