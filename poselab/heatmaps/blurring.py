"""Gaussian blur as OpenCV does it."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from poselab.heatmaps.windows import reflected, windows

_SMALL_TAPS = {  # OpenCV's fixed kernels where the width alone is given
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
}


def blur_kernel_size(sigma: float) -> int:
    """The odd kernel whose blur is about sigma wide: 3, 11, 17 for 1, 2, 3, as DARK's authors."""
    return 2 * max(int((sigma - 0.8) / 0.3 + 1 + 1e-9), 1) + 1


def blur_kernel(width: int, sigma: float | None = None) -> tuple[float, ...]:
    """A Gaussian kernel that sums to one; without sigma as OpenCV makes it from its width alone."""
    if sigma is None:
        if width in _SMALL_TAPS:
            return _SMALL_TAPS[width]
        sigma = 0.3 * ((width - 1) * 0.5 - 1) + 0.8
    taps = [math.exp(-((i - width // 2) ** 2) / (2 * sigma**2)) for i in range(width)]
    return tuple(tap / sum(taps) for tap in taps)


def blur(maps: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Blur maps (…, h, w) along both axes, where the kernel fits: (…, h - n + 1, w - n + 1)."""
    for axis in (-2, -1):
        length = maps.shape[axis] - len(taps) + 1
        total = maps.narrow(axis, 0, length) * taps[0]
        for i, tap in enumerate(taps[1:], start=1):
            total.add_(maps.narrow(axis, i, length), alpha=tap)
        maps = total
    return maps


def blur_at(maps: Tensor, cells: Tensor, kernel: int) -> Tensor:
    """What :func:`blur_same` would give at whole cells (…, 2), without blurring the rest."""
    window = windows(maps, cells, kernel // 2, "reflect")
    return blur(window, blur_kernel(kernel))[..., 0, 0]


def blur_same(maps: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Blur maps (…, h, w) to the same size, their borders reflected as OpenCV does by default.

    On CPUs as products with banded matrices, 20 times as fast, unless those may be coarse.
    """
    if maps.device.type == "cpu" and torch.get_float32_matmul_precision() != "medium":
        rows, columns = (_band(length, taps).to(maps.dtype) for length in maps.shape[-2:])
        with torch.autocast("cpu", enabled=False):
            return rows @ (maps @ columns.T)
    half = len(taps) // 2
    for axis in (-2, -1):
        length = maps.shape[axis]
        steps = torch.arange(-half, length + half, device=maps.device)
        maps = maps.index_select(axis, reflected(steps, length))
    return blur(maps, taps)


@lru_cache(maxsize=32)
def _band(length: int, taps: tuple[float, ...]) -> Tensor:
    """The matrix (n, n) that blurs n cells whose borders are reflected."""
    with torch.inference_mode(False):  # kept, and gradients may want it later
        steps = torch.arange(length)
        matrix = torch.zeros(length, length, dtype=torch.float64)
        for i, tap in enumerate(taps, start=-(len(taps) // 2)):
            matrix[steps, reflected(steps + i, length)] += tap
    return matrix
