"""A disc that says roughly where, and offsets that say exactly where (Huang et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from poselab import geometry, maps
from poselab.codecs.grid import Grid, mirrored_names, only_person
from poselab.outputs import MapTarget
from poselab.structures import InputError, Poses, Size, Skeleton

_DISC_BLUR, _OFFSET_BLUR = 15, 7  # kernel widths of the authors' decoder
_RESOLUTION = 0.25  # cells, measured: the blur of the offsets reaches past the disc of radius 3


class UdpOffsetCodec:
    """Three maps a keypoint: the disc within ``radius`` cells, x offset and y offset over radius.

    Maps are ordered disc, x, y of the first keypoint, then the next, as in the authors' code.
    Offsets count within the disc only. Source: UDP, Huang et al. 2020, section 3.3; radius 3.5 and
    the blurs from its code.

    Raises:
        InputError: a radius below three cells, an unknown convention, or a stride that does not
            divide the input size.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        input_size: Size,
        stride: int,
        radius: float = 3.5,
        pixels: str = "udp",
    ) -> None:
        if not radius >= 3:
            raise InputError(f"expected a radius of 3 map cells or more, got {radius}")
        self.skeleton = skeleton
        self.grid = Grid(input_size, stride, geometry.convention(pixels))
        self.radius = radius
        self.channels = 3 * len(skeleton)

    @property
    def resolution(self) -> float:
        """Worst error in input pixels two radii inside the map, nearer up to a radius."""
        return _RESOLUTION * self.grid.cell

    def encode(self, keypoints: Tensor, visible: Tensor, usable: Tensor) -> MapTarget:
        """Maps and weight (B, 3K, h, w)."""
        points, labelled = only_person(keypoints, visible)
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
        weight *= self.grid.usable_cells(usable)[:, :, None]
        return MapTarget(planes.flatten(1, 2), weight.flatten(1, 2))

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the blurred discs' highest values."""
        heat, x, y = _planes(output.float().contiguous()).unbind(2)
        smooth = maps.blur_whole(heat, maps.blur_taps(_DISC_BLUR))
        cells, values = maps.peaks(smooth)
        offset = torch.stack([maps.blurred_at(m, cells, _OFFSET_BLUR) for m in (x, y)], dim=-1)
        points = self.grid.to_pixels(cells + offset * self.radius)
        valid = torch.ones(len(points), 1, dtype=torch.bool, device=points.device)
        return Poses(points[:, None], values[:, None], valid)

    def unflip(self, output: Tensor) -> Tensor:
        """Mirror, exchange left with right, negate x offsets, move as the convention asks."""
        names = mirrored_names(self.skeleton, output.device)
        planes = _planes(output).transpose(1, 2)
        disc, x, y = maps.mirror_maps(planes, names, self.grid.mirror_shift).unbind(1)
        return torch.stack([disc, -x, y], dim=2).flatten(1, 2)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _planes(output: Tensor) -> Tensor:
    """(B, 3K, h, w) as (B, K, 3, h, w)."""
    return output.reshape(len(output), -1, 3, *output.shape[-2:])
