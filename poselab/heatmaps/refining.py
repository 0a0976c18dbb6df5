"""Refinement of whole-cell peaks to a fraction of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from poselab.heatmaps.blurring import blur_kernel, blur_valid
from poselab.heatmaps.windows import inside, repeat_border, windows

if TYPE_CHECKING:
    from poselab.heatmaps.windows import Border

_EPSILON = 1e-10  # keeps logarithms finite; the value of DARK's and UDP's code
_UDP_RANGE = (1e-3, 50.0)


def quarter_offset(heatmaps: Tensor, cells: Tensor) -> Tensor:
    """Move whole cells (…, 2) a quarter towards the higher neighbour (Newell et al. 2016).

    Cells on the border do not move along that axis. In the authors' code the second cell on one
    side does not either, which would break flip symmetry.
    """
    window = windows(heatmaps, cells, 1, "edge")
    slope = torch.stack(
        [window[..., 1, 2] - window[..., 1, 0], window[..., 2, 1] - window[..., 0, 1]], dim=-1
    )
    return cells + 0.25 * slope.sign() * inside(heatmaps, cells, 1, per_axis=True)


def dark_refine(heatmaps: Tensor, cells: Tensor, kernel_size: int = 11) -> Tensor:
    """Sub-cell maxima near whole cells (…, 2): blur, logarithm, one Newton step.

    kernel_size: odd size of the blur kernel in cells (11 for sigma 2, 17 for sigma 3:
    :func:`blur_kernel_size`). Cells within two of the border stay, as in the authors' code.
    Source: DARK, Zhang et al. 2020, equations 6 to 9 and section 3.2.3.
    """
    raw = windows(heatmaps.float(), cells, 2 + kernel_size // 2, "zero")
    window = blur_valid(raw, blur_kernel(kernel_size))
    # The scale only shifts the logarithm; it matters where values are cut off at epsilon.
    top = window.amax((-2, -1))
    # Below zero all values are cut off alike, and the cell stays.
    scale = torch.where(top > 0, raw.amax((-2, -1)) / top.clamp(min=_EPSILON), 1.0)
    log = (window * scale[..., None, None]).clamp(min=_EPSILON).log()
    slope = torch.stack([log[..., 2, 3] - log[..., 2, 1], log[..., 3, 2] - log[..., 1, 2]], -1) / 2
    # Second differences over two cells, as in the authors' code.
    xx = (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0]) / 4
    yy = (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2]) / 4
    xy = (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1]) / 4
    return cells + _newton_step(slope, xx, yy, xy) * inside(heatmaps, cells, 2)


def udp_refine(
    heatmaps: Tensor, cells: Tensor, kernel_size: int = 11, border: Border = "zero"
) -> Tensor:
    """Sub-cell maxima as in :func:`dark_refine` with the differences of UDP's code.

    Values are clipped to [1e-3, 50], differences are one cell wide and borders are repeated.
    border: what the blur finds outside, zeros in mmpose 1.x. In UDP's code, whose blur is 7 cells
    wide, and in ViTPose's, of 11 cells, borders are reflected, which moves a peak that is nearer
    to one than half the blur by up to a cell and a half.
    Source: UDP, Huang et al. 2020, reference implementation; mmpose and ViTPose.
    """
    low, high = _UDP_RANGE
    window = windows(heatmaps.float(), cells, 1 + kernel_size // 2, border)
    window = blur_valid(window, blur_kernel(kernel_size))
    log = repeat_border(window.clamp(low, high).log(), heatmaps, cells)
    middle = log[..., 1, 1]
    slope = torch.stack([log[..., 1, 2] - log[..., 1, 0], log[..., 2, 1] - log[..., 0, 1]], -1) / 2
    xx = log[..., 1, 2] - 2 * middle + log[..., 1, 0]
    yy = log[..., 2, 1] - 2 * middle + log[..., 0, 1]
    forward = log[..., 2, 2] - log[..., 1, 2] - log[..., 2, 1] + middle
    backward = log[..., 0, 0] - log[..., 1, 0] - log[..., 0, 1] + middle
    # UDP's code adds eps to the diagonal of the Hessian, so that flat heatmaps have an inverse.
    eps = torch.finfo(torch.float32).eps
    return cells + _newton_step(slope, xx + eps, yy + eps, (forward + backward) / 2)


def _newton_step(slope: Tensor, xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """-H⁻¹·slope (…, 2), zero where the Hessian has no inverse."""
    determinant = xx * yy - xy.square()
    x = yy * slope[..., 0] - xy * slope[..., 1]
    y = xx * slope[..., 1] - xy * slope[..., 0]
    invertible = determinant != 0
    # Divide by one where there is no inverse: NaN of the unused branch would reach gradients.
    step = -torch.stack([x, y], dim=-1) / torch.where(invertible, determinant, 1.0)[..., None]
    return torch.where(invertible[..., None], step, torch.zeros_like(step))
