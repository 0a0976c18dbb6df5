"""Peaks to a fraction of a cell."""

from __future__ import annotations

import torch
from torch import Tensor

from poselab.heatmaps.blurring import blur, blur_kernel
from poselab.heatmaps.windows import inside, repeat_border, windows

_TINY = 1e-10  # what DARK's and UDP's authors keep the logarithm away from zero with
_UDP_RANGE = (1e-3, 50.0)


def quarter_offset(maps: Tensor, cells: Tensor) -> Tensor:
    """Move whole cells (…, 2) a quarter towards the higher neighbour (Newell et al. 2016).

    Cells on the border stay along that axis; the authors also leave the second cell alone on one
    side, which would break flip symmetry.
    """
    window = windows(maps, cells, 1, "edge")
    slope = torch.stack(
        [window[..., 1, 2] - window[..., 1, 0], window[..., 2, 1] - window[..., 0, 1]], dim=-1
    )
    return cells + 0.25 * slope.sign() * inside(maps, cells, 1, per_axis=True)


def dark_refine(maps: Tensor, cells: Tensor, kernel: int = 11) -> Tensor:
    """Sub-cell maxima near whole cells (…, 2): blur, logarithm, one Newton step.

    kernel: odd width of the blur in cells (11 for sigma 2, 17 for sigma 3: :func:`blur_kernel_size`).
    Cells within two of the border stay, as in the authors' code.
    Source: DARK, Zhang et al. 2020, equations 6 to 9 and section 3.2.3.
    """
    taps = blur_kernel(kernel)
    raw = windows(maps.float(), cells, 2 + kernel // 2, "zero")
    window = blur(raw, taps)
    scale = raw.amax((-2, -1)) / window.amax((-2, -1)).clamp(min=_TINY)
    log = (window * scale[..., None, None]).clamp(min=_TINY).log()
    slope = torch.stack([log[..., 2, 3] - log[..., 2, 1], log[..., 3, 2] - log[..., 1, 2]], -1) / 2
    xx = (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0]) / 4
    yy = (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2]) / 4
    xy = (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1]) / 4
    return cells + _newton_step(slope, xx, yy, xy) * inside(maps, cells, 2)


def udp_refine(maps: Tensor, cells: Tensor, kernel: int = 3) -> Tensor:
    """Sub-cell maxima as in :func:`dark_refine` with the differences of UDP's code.

    Blur by ``kernel`` with reflected borders, values clipped to [1e-3, 50], differences one cell
    wide, borders repeated. Source: UDP, Huang et al. 2020, reference implementation.
    """
    low, high = _UDP_RANGE
    window = blur(windows(maps.float(), cells, 1 + kernel // 2, "reflect"), blur_kernel(kernel))
    log = repeat_border(window.clamp(low, high).log(), maps, cells)
    middle = log[..., 1, 1]
    slope = torch.stack([log[..., 1, 2] - log[..., 1, 0], log[..., 2, 1] - log[..., 0, 1]], -1) / 2
    xx = log[..., 1, 2] - 2 * middle + log[..., 1, 0]
    yy = log[..., 2, 1] - 2 * middle + log[..., 0, 1]
    forward = log[..., 2, 2] - log[..., 1, 2] - log[..., 2, 1] + middle
    backward = log[..., 0, 0] - log[..., 1, 0] - log[..., 0, 1] + middle
    eps = torch.finfo(torch.float32).eps
    return cells + _newton_step(slope, xx + eps, yy + eps, (forward + backward) / 2)


def _newton_step(slope: Tensor, xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """-H⁻¹·slope (…, 2), zero where the Hessian has no inverse."""
    determinant = xx * yy - xy.square()
    x = yy * slope[..., 0] - xy * slope[..., 1]
    y = xx * slope[..., 1] - xy * slope[..., 0]
    sound = determinant != 0
    step = -torch.stack([x, y], dim=-1) / torch.where(sound, determinant, 1.0)[..., None]
    return torch.where(sound[..., None], step, torch.zeros_like(step))
