"""Gaussian blur as OpenCV computes it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from poselab.heatmaps.windows import reflected, windows

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
    for axis in (-2, -1):
        length = heatmaps.shape[axis] - len(kernel) + 1
        total = heatmaps.narrow(axis, 0, length) * kernel[0]
        for i, tap in enumerate(kernel[1:], start=1):
            total.add_(heatmaps.narrow(axis, i, length), alpha=tap)
        heatmaps = total
    return heatmaps


def blur_at(heatmaps: Tensor, cells: Tensor, size: int) -> Tensor:
    """The values of :func:`blur_same` at whole cells (…, 2), without blurring the rest."""
    window = windows(heatmaps, cells, size // 2, "reflect")
    return blur_valid(window, blur_kernel(size))[..., 0, 0]


def blur_same(
    heatmaps: Tensor, kernel: tuple[float, ...], border: Literal["reflect", "zero"] = "reflect"
) -> Tensor:
    """Blur (…, h, w) to the same size, the border reflected as OpenCV does by default, or zeros
    outside.

    On CPUs this multiplies with banded matrices, 20 times as fast, unless the user allows matrix
    products of reduced precision.
    """
    if heatmaps.device.type == "cpu" and torch.get_float32_matmul_precision() != "medium":
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


@lru_cache(maxsize=32)
def _band(length: int, kernel: tuple[float, ...], border: str) -> Tensor:
    """The matrix (n, n) float64 that blurs a row of n cells."""
    # The cached tensor outlives this call, and a later caller may need gradients through it.
    with torch.inference_mode(False):
        steps = torch.arange(length)
        matrix = torch.zeros(length, length, dtype=torch.float64)
        for i, tap in enumerate(kernel, start=-(len(kernel) // 2)):
            known = (steps + i >= 0) & (steps + i < length) if border == "zero" else True
            matrix[steps, reflected(steps + i, length)] += tap * known
    return matrix
