"""Pure functions on heatmaps, batched over every leading axis and free of device synchronisation.

Cells are (x, y) in map cells, 0-based with integers at cell centres. All of them compute in
float32 or better, and avoid matrix products so that neither autocast nor TF32 coarsens a position.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from poselab.structures import Size

_TINY = 1e-10  # what DARK's and UDP's authors keep the logarithm away from zero with
_UDP_RANGE = (1e-3, 50.0)
_SMALL_TAPS = {  # OpenCV's fixed kernels where the width alone is given
    3: (0.25, 0.5, 0.25),
    5: (0.0625, 0.25, 0.375, 0.25, 0.0625),
    7: (0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125),
}


def gaussians(cells: Tensor, size: Size, sigma: float, *, biased: bool) -> Tensor:
    """Gaussians of height one (…, h, w) around cells (…, 2); sigma in cells.

    biased: centre rounded to a cell, cut to a square of 3 sigma (SimpleBaseline, Xiao et al. 2018);
    else the exact centre (DARK, Zhang et al. 2020, equation 1), cut at 8 sigma, 1e-14 of the
    height, because CPUs crawl through what is smaller still.
    """
    centre = nearest(cells) if biased else cells
    reach = (3 if biased else 8) * sigma
    x, y = (_profile(centre[..., axis], size[1 - axis], sigma, reach) for axis in (0, 1))
    return y[..., :, None] * x[..., None, :]


def splat(cells: Tensor, drawn: Tensor, size: Size, sigma: float) -> Tensor:
    """Maps (B, K, h, w): the maximum over people of exact Gaussians at cells (B, P, K, 2).

    Each is cut to a square of 3 sigma around its nearest cell; those not ``drawn`` (B, P, K) are
    left out. Work and memory grow with the Gaussians' squares, not with people times maps.
    """
    h, w = size
    reach = math.ceil(3 * sigma)
    centre = nearest(cells)
    steps = torch.arange(-reach, reach + 1, device=cells.device, dtype=cells.dtype)
    x, y = (centre[..., axis, None] + steps for axis in (0, 1))
    inside_x, inside_y = (x >= 0) & (x < w), (y >= 0) & (y < h) & drawn[..., None]
    value_x = torch.exp((x - cells[..., 0, None]).square() * (-0.5 / sigma**2)) * inside_x
    value_y = torch.exp((y - cells[..., 1, None]).square() * (-0.5 / sigma**2)) * inside_y
    column, row = x.clamp(0, w - 1).long(), y.clamp(0, h - 1).long()
    index = row[..., :, None] * w + column[..., None, :]
    value = value_y[..., :, None] * value_x[..., None, :]
    index, value = (of_joint.transpose(1, 2).flatten(2) for of_joint in (index, value))
    empty = cells.new_zeros(len(cells), cells.shape[2], h * w)
    return empty.scatter_reduce(-1, index, value, "amax").reshape(*empty.shape[:2], h, w)


def _profile(centre: Tensor, length: int, sigma: float, reach: float) -> Tensor:
    """One axis of the Gaussian, (…, length)."""
    steps = torch.arange(length, device=centre.device, dtype=centre.dtype)
    distance = steps - centre[..., None]
    profile = torch.exp(distance.square() * (-0.5 / sigma**2))
    return profile.where(distance.abs() <= reach, 0.0)


def nearest(cells: Tensor) -> Tensor:
    """The whole cell that each position falls into; halves go up."""
    return torch.floor(cells + 0.5)


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (…, 2) of the highest value of maps (…, h, w), and that value (…)."""
    values, index = maps.flatten(-2).max(dim=-1)
    return cells_of(index, maps.shape[-1]), values


def cells_of(index: Tensor, width: int) -> Tensor:
    """Cells (…, 2) float32 of flat map indices y·w + x."""
    return torch.stack([index % width, index.div(width, rounding_mode="floor")], dim=-1).float()


def read_at(maps: Tensor, index: Tensor) -> Tensor:
    """Values (…, N) of maps (…, h, w) at flat indices y·w + x (…, N)."""
    return maps.flatten(-2).gather(-1, index)


def non_maximum_suppression(maps: Tensor, window: int = 5) -> Tensor:
    """Maps (B, K, h, w) with everything but the maxima of a window·window square set to zero."""
    return torch.where(maps == highest_around(maps, window), maps, torch.zeros_like(maps))


def highest_around(maps: Tensor, window: int) -> Tensor:
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


def quarter_offset(maps: Tensor, cells: Tensor) -> Tensor:
    """Move whole cells (…, 2) a quarter towards the higher neighbour (Newell et al. 2016).

    Cells on the border stay along that axis; the authors also leave the second cell alone on one
    side, which would break mirror symmetry.
    """
    window = _windows(maps, cells, 1, "edge")
    slope = torch.stack(
        [window[..., 1, 2] - window[..., 1, 0], window[..., 2, 1] - window[..., 0, 1]], dim=-1
    )
    return cells + 0.25 * slope.sign() * _inside(maps, cells, 1, per_axis=True)


def dark_refine(maps: Tensor, cells: Tensor, kernel: int = 11) -> Tensor:
    """Sub-cell maxima near whole cells (…, 2): blur, logarithm, one Newton step.

    kernel: odd width of the blur in cells (11 for sigma 2, 17 for sigma 3: :func:`blur_width`).
    Cells within two of the border stay, as in the authors' code.
    Source: DARK, Zhang et al. 2020, equations 6 to 9 and section 3.2.3.
    """
    taps = blur_taps(kernel)
    raw = _windows(maps.float(), cells, 2 + kernel // 2, "zero")
    window = blur(raw, taps)
    scale = raw.amax((-2, -1)) / window.amax((-2, -1)).clamp(min=_TINY)
    log = (window * scale[..., None, None]).clamp(min=_TINY).log()
    slope = torch.stack([log[..., 2, 3] - log[..., 2, 1], log[..., 3, 2] - log[..., 1, 2]], -1) / 2
    xx = (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0]) / 4
    yy = (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2]) / 4
    xy = (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1]) / 4
    return cells + _newton_step(slope, xx, yy, xy) * _inside(maps, cells, 2)


def udp_refine(maps: Tensor, cells: Tensor, kernel: int = 3) -> Tensor:
    """Sub-cell maxima as in :func:`dark_refine` with the differences of UDP's code.

    Blur by ``kernel`` with mirrored borders, values clipped to [1e-3, 50], differences one cell
    wide, borders repeated. Source: UDP, Huang et al. 2020, reference implementation.
    """
    low, high = _UDP_RANGE
    window = blur(_windows(maps.float(), cells, 1 + kernel // 2, "mirror"), blur_taps(kernel))
    log = _repeat_border(window.clamp(low, high).log(), maps, cells)
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


def soft_argmax(logits: Tensor) -> Tensor:
    """Expected position (…, 2) of softmax(logits (…, h, w)), each axis in [-0.5, 0.5] of the map.

    Cell i of n lies at (i + 0.5)/n - 0.5, the units of :class:`poselab.outputs.Coordinates`.
    Source: integral regression, Sun et al. 2018, equation 2.
    """
    precise = logits if logits.dtype == torch.float64 else logits.float()
    shares = precise.flatten(-2).softmax(dim=-1).reshape(logits.shape)
    return torch.stack([_expectation(shares.sum(-2)), _expectation(shares.sum(-1))], dim=-1)


def _expectation(shares: Tensor) -> Tensor:
    n = shares.shape[-1]
    steps = torch.arange(n, device=shares.device, dtype=shares.dtype)
    return (shares * ((steps + 0.5) / n - 0.5)).sum(-1)


def mirror_maps(maps: Tensor, names: Tensor, shift: int) -> Tensor:
    """Maps (…, K, h, w) of a mirrored input as those of the input.

    names (K,) are the mirrored keypoints; ``shift`` moves the result right, repeating the border.
    """
    flipped = maps.index_select(-3, names).flip(-1)
    if shift == 0:
        return flipped
    return torch.cat([flipped[..., :1].expand(*flipped.shape[:-1], shift), flipped], -1)[
        ..., : maps.shape[-1]
    ]


def blur_width(sigma: float) -> int:
    """The odd kernel whose blur is about sigma wide: 11 for 2 and 17 for 3, as DARK's authors."""
    return 2 * max(round((sigma - 0.8) / 0.3 + 1), 1) + 1


def blur_taps(width: int) -> tuple[float, ...]:
    """A Gaussian kernel as OpenCV makes it from its width alone; sums to one."""
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


def blurred_at(maps: Tensor, cells: Tensor, kernel: int) -> Tensor:
    """What :func:`blur_whole` would give at whole cells (…, 2), without blurring the rest."""
    window = _windows(maps, cells, kernel // 2, "mirror")
    return blur(window, blur_taps(kernel))[..., 0, 0]


def blur_whole(maps: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Blur maps (…, h, w) to the same size, their borders mirrored as OpenCV does by default."""
    half = len(taps) // 2
    for axis in (-2, -1):
        length = maps.shape[axis]
        steps = torch.arange(-half, length + half, device=maps.device)
        maps = maps.index_select(axis, _mirrored(steps, length))
    return blur(maps, taps)


def _windows(maps: Tensor, cells: Tensor, radius: int, border: str) -> Tensor:
    """The squares (…, 2r + 1, 2r + 1) of maps (…, h, w) around whole cells (…, 2).

    With one axis more, cells (…, N, 2) are N of each map.
    border: what lies outside: "zero", the nearest "edge", or the map's "mirror" image.
    """
    h, w = maps.shape[-2:]
    reach = torch.arange(-radius, radius + 1, device=maps.device)
    x, y = (cells[..., axis, None].long() + reach for axis in (0, 1))
    fold = _mirrored if border == "mirror" else _clamped
    index = fold(y, h)[..., :, None] * w + fold(x, w)[..., None, :]
    window = read_at(maps, index.flatten(maps.ndim - 2)).reshape(index.shape)
    if border != "zero":
        return window
    known = ((y >= 0) & (y < h))[..., :, None] & ((x >= 0) & (x < w))[..., None, :]
    return torch.where(known, window, torch.zeros_like(window))


def _clamped(index: Tensor, length: int) -> Tensor:
    return index.clamp(0, length - 1)


def _mirrored(index: Tensor, length: int) -> Tensor:
    """Indices reflected about the first and last cell."""
    return ((length - 1) - ((length - 1) - index.abs()).abs()).clamp(min=0)


def _repeat_border(window: Tensor, maps: Tensor, cells: Tensor) -> Tensor:
    """3·3 windows whose cells outside the map repeat the map's border instead."""
    h, w = maps.shape[-2:]
    reach = torch.arange(-1, 2, device=maps.device)
    x, y = cells[..., 0, None].long(), cells[..., 1, None].long()
    rows = (y + reach).clamp(0, h - 1) - y + 1
    columns = (x + reach).clamp(0, w - 1) - x + 1
    index = rows[..., :, None] * 3 + columns[..., None, :]
    return read_at(window, index.flatten(-2)).reshape(window.shape)


def _inside(maps: Tensor, cells: Tensor, margin: int, per_axis: bool = False) -> Tensor:
    """Which cells lie at least ``margin`` from the border: (…, 1), or (…, 2) for each axis."""
    h, w = maps.shape[-2:]
    x, y = cells[..., 0], cells[..., 1]
    inside = torch.stack(
        [(x >= margin) & (x < w - margin), (y >= margin) & (y < h - margin)], dim=-1
    )
    return inside if per_axis else inside.all(-1, keepdim=True)
