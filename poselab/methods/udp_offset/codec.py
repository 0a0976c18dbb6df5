"""A disc that says roughly where, and offsets that say exactly where (Huang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from poselab import heatmaps as maps
from poselab.codecs.grid import GridCodec, single_person, single_pose
from poselab.outputs import HeatmapTarget
from poselab.structures import InputError, Poses

_RESOLUTION = 0.25  # cells, measured: the blur of the offsets reaches past the disc of radius 3


@dataclass(kw_only=True, eq=False)
class UdpOffsetCodec(GridCodec):
    """Three maps a keypoint: the disc within ``radius`` cells, x offset and y offset over radius.

    Maps are ordered disc, x, y of the first keypoint, then the next, as in the authors' code.
    Offsets count within the disc only. Source: UDP, Huang et al. 2020, section 3.3; radius 3.5 and
    the blurs from its code.

    Raises:
        InputError: a radius below three cells, an unknown convention, or a stride that does not
            divide the input size.
    """

    radius: float = 3.5
    pixels: str = "udp"
    disc_blur: ClassVar[int] = 15  # kernel widths of the authors' decoder
    offset_blur: ClassVar[int] = 7

    def __post_init__(self) -> None:
        if not self.radius >= 3:
            raise InputError(f"expected a radius of 3 map cells or more, got {self.radius}")
        super().__post_init__()
        self.channels = 3 * len(self.skeleton)

    @property
    def resolution(self) -> float:
        """Worst error in input pixels two radii inside the map, nearer up to a radius."""
        return _RESOLUTION * self.grid.cell

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> HeatmapTarget:
        """Maps and weight (B, 3K, h, w)."""
        points, labelled = single_person(keypoints, visibility)
        cells = self.grid.to_cells(points)
        counts = labelled & self.grid.within(cells, self.radius)
        h, w = self.grid.size
        x = (cells[..., 0, None] - torch.arange(w, device=cells.device)) / self.radius
        y = (cells[..., 1, None] - torch.arange(h, device=cells.device)) / self.radius
        near = x.square()[..., None, :] + y.square()[..., :, None] <= 1
        disc = (near & counts[..., None, None]).float()
        planes = torch.stack([disc, disc * x[..., None, :], disc * y[..., :, None]], dim=2)
        known = counts.float()[..., None, None].expand_as(disc)
        weight = torch.stack([known, disc, disc], dim=2)
        weight *= self.grid.downsample_mask(loss_mask)[:, :, None]
        return HeatmapTarget(planes.flatten(1, 2), weight.flatten(1, 2))

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the blurred discs' highest values."""
        heat, x, y = _planes(output.float().contiguous()).unbind(2)
        smooth = maps.blur_same(heat, maps.blur_kernel(self.disc_blur))
        cells, values = maps.peaks(smooth)
        cells = self._start(cells, values)
        offset = torch.stack([maps.blur_at(m, cells, self.offset_blur) for m in (x, y)], dim=-1)
        return single_pose(self.grid.to_pixels(cells + offset * self.radius), values)

    def _start(self, cells: Tensor, values: Tensor) -> Tensor:
        """The cells (B, K, 2) whose offsets are read: those of the highest ``values`` (B, K)."""
        del values
        return cells

    def unflip(self, output: Tensor) -> Tensor:
        """Flip, exchange left with right, negate x offsets, move as the convention asks."""
        disc, x, y = self.flipped(_planes(output).transpose(1, 2)).unbind(1)
        return torch.stack([disc, -x, y], dim=2).flatten(1, 2)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _planes(output: Tensor) -> Tensor:
    """(B, 3K, h, w) as (B, K, 3, h, w)."""
    return output.reshape(len(output), -1, 3, *output.shape[-2:])
