"""Refinement of whole-cell peaks to a fraction of a cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from poselab.heatmaps.blurring import Blur, blur_kernel, blur_same, blurred_windows
from poselab.heatmaps.peaks import eager_on_cpu, values_at
from poselab.heatmaps.windows import inside, repeat_border, windows

if TYPE_CHECKING:
    from typing import Literal

    QuarterBorder = Literal["flip", "hrnet", "mmpose"]

_EPSILON = 1e-10  # keeps logarithms finite; the value of DARK's and UDP's code
_UDP_RANGE = (1e-3, 50.0)


def quarter_offset(heatmaps: Tensor, cells: Tensor, border: QuarterBorder = "flip") -> Tensor:
    """Move whole cells (…, 2) a quarter towards the higher neighbour (Newell et al. 2016).

    border: which cells do not move. "flip": those on the border, along its axis. The authors leave
    out a cell more to the left and on top, which breaks flip symmetry: "hrnet" does not move a
    cell at all where it is near either border (SimpleBaseline, HRNet); "mmpose" looks at each axis,
    and at whether the other coordinate is zero (mmpose 1.x, refine_keypoints).
    """
    window = windows(heatmaps, cells, 1, "edge")
    slope = torch.stack(
        [window[..., 1, 2] - window[..., 1, 0], window[..., 2, 1] - window[..., 0, 1]], dim=-1
    )
    moves = inside(heatmaps, cells, 1, per_axis=True)
    if border != "flip":
        moves = moves & (cells >= 2)
        moves = moves.all(-1, keepdim=True) if border == "hrnet" else moves & (cells.flip(-1) > 0)
    return cells + 0.25 * slope.sign() * moves


def dark_refine(heatmaps: Tensor, cells: Tensor, blur: Blur | None = None) -> Tensor:
    """Sub-cell maxima near the highest cells (…, 2): blur, logarithm, one Newton step.

    Cells within two of the border stay, as in the authors' code. blur: 11 cells by default, for a
    sigma of 2 (17 for 3: :func:`blur_kernel_size`).
    Source: DARK, Zhang et al. 2020, equations 6 to 9 and section 3.2.3.
    """
    log = _log_windows(heatmaps.float(), cells, 2, blur or Blur(), (_EPSILON, math.inf))
    slope = torch.stack([log[..., 2, 3] - log[..., 2, 1], log[..., 3, 2] - log[..., 1, 2]], -1) / 2
    # Second differences over two cells, as in the authors' code.
    xx = (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0]) / 4
    yy = (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2]) / 4
    xy = (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1]) / 4
    return cells + _newton_step(slope, xx, yy, xy) * inside(heatmaps, cells, 2)


def udp_refine(heatmaps: Tensor, cells: Tensor, blur: Blur | None = None) -> Tensor:
    """Sub-cell maxima as in :func:`dark_refine` with the differences of UDP's code.

    Values are clipped to [1e-3, 50], differences are one cell wide and borders are repeated.
    Source: UDP, Huang et al. 2020, reference implementation; mmpose and ViTPose.
    """
    log = _log_windows(heatmaps.float(), cells, 1, blur or Blur(), _UDP_RANGE)
    log = repeat_border(log, heatmaps, cells)
    middle = log[..., 1, 1]
    slope = torch.stack([log[..., 1, 2] - log[..., 1, 0], log[..., 2, 1] - log[..., 0, 1]], -1) / 2
    xx = log[..., 1, 2] - 2 * middle + log[..., 1, 0]
    yy = log[..., 2, 1] - 2 * middle + log[..., 0, 1]
    forward = log[..., 2, 2] - log[..., 1, 2] - log[..., 2, 1] + middle
    backward = log[..., 0, 0] - log[..., 1, 0] - log[..., 0, 1] + middle
    # UDP's code adds eps to the diagonal of the Hessian, so that flat heatmaps have an inverse.
    eps = torch.finfo(torch.float32).eps
    return cells + _newton_step(slope, xx + eps, yy + eps, (forward + backward) / 2)


def _log_windows(
    heatmaps: Tensor, cells: Tensor, radius: int, blur: Blur, limits: tuple[float, float]
) -> Tensor:
    """The logarithm (…, 2r + 1, 2r + 1) of blurred heatmaps, clipped to limits, around cells."""
    kernel = blur_kernel(blur.size, blur.sigma)
    if blur.rescale == "range":
        smooth = blur_same(heatmaps, kernel, "reflect")
        low, high = smooth.amin((-2, -1), True), smooth.amax((-2, -1), True)
        factor = heatmaps.amax((-2, -1), True) / (high - low).clamp(min=_EPSILON)
        window = (windows(smooth, cells, radius, "edge") - low) * factor
    else:
        window = blurred_windows(heatmaps, cells, radius, kernel, blur.border)
        if blur.rescale == "height":
            # Elsewhere the factor only shifts the logarithm. The peak is as high as any value.
            index = (cells[..., 1] * heatmaps.shape[-1] + cells[..., 0]).long()
            peak = values_at(heatmaps, index[..., None])[..., 0]
            clipped = (window.amin((-2, -1)) < limits[0]) | (peak > limits[1])
            window = _rescaled(window, heatmaps, kernel, clipped)
    return window.clamp(*limits).log()


def _rescaled(
    window: Tensor, heatmaps: Tensor, kernel: tuple[float, ...], needed: Tensor
) -> Tensor:
    """Windows (…, n, n) of heatmaps (…, h, w) blurred with zeros outside, times what gives these
    back their height, where ``needed`` (…)."""
    if not eager_on_cpu(heatmaps):
        return window * _height_factor(heatmaps, kernel)[..., None, None]
    if not needed.any():
        return window
    factor = torch.ones_like(window[..., 0, 0])
    factor[needed] = _height_factor(heatmaps[needed], kernel)
    return window * factor[..., None, None]


def _height_factor(heatmaps: Tensor, kernel: tuple[float, ...]) -> Tensor:
    """The height of heatmaps over that of the blurred ones (…); one where these lie below zero."""
    height = blur_same(heatmaps, kernel, "zero").amax((-2, -1))
    positive = height > 0
    return torch.where(positive, heatmaps.amax((-2, -1)) / torch.where(positive, height, 1.0), 1.0)


def _newton_step(slope: Tensor, xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """-H⁻¹·slope (…, 2), zero where the Hessian has no inverse."""
    determinant = xx * yy - xy.square()
    x = yy * slope[..., 0] - xy * slope[..., 1]
    y = xx * slope[..., 1] - xy * slope[..., 0]
    invertible = determinant != 0
    # Divide by one where there is no inverse: NaN of the unused branch would reach gradients.
    step = -torch.stack([x, y], dim=-1) / torch.where(invertible, determinant, 1.0)[..., None]
    return torch.where(invertible[..., None], step, torch.zeros_like(step))
