"""Gaussian heatmaps of one person, with the refinements that papers compare."""

from __future__ import annotations

import copy
from typing import Literal, Self

import torch
from torch import Tensor

from poselab import geometry, maps
from poselab.codecs.grid import Grid, mirrored_names, only_person
from poselab.outputs import MapTarget
from poselab.structures import InputError, Poses, Size, Skeleton

Encoding = Literal["biased", "unbiased"]
Decoder = Literal["argmax", "quarter", "dark", "udp"]

# Worst error in cells for exact targets; the first two are geometry, the others are measured by the
# laws in tests for sigma 1 to 3, where the map covers 3 sigma around the keypoint.
_RESOLUTION: dict[Decoder, float] = {"argmax": 0.5, "quarter": 0.25, "dark": 0.01, "udp": 0.01}


class HeatmapCodec:
    """One Gaussian a keypoint, found again at the highest cell.

    sigma: in map cells (2 for 256x192, 3 for 384x288 in SimpleBaseline and HRNet).
    encoding: "biased" rounds the centre to a cell as those do; "unbiased" keeps it (DARK, UDP).
    decoder: "argmax"; "quarter" offset to the higher neighbour; "dark" and "udp" expand the
    logarithm of the blurred map (Zhang et al. 2020; Huang et al. 2020).
    pixels: the convention's name, see :mod:`poselab.geometry`.

    A keypoint weighs nothing where it is not labelled or its Gaussian, cut at 3 sigma, does not
    touch the map. Under "hrnet" pixels the last half stride of the input has no cell.

    Raises:
        InputError: an unknown encoding, decoder or convention, or a stride that does not divide
            the input size.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        input_size: Size,
        stride: int,
        sigma: float = 2.0,
        encoding: Encoding = "biased",
        decoder: Decoder = "quarter",
        pixels: str = "centre",
    ) -> None:
        if encoding not in ("biased", "unbiased"):
            raise InputError(f"expected encoding biased or unbiased, got {encoding!r}")
        if not sigma > 0:
            raise InputError(f"expected a sigma above 0 map cells, got {sigma}")
        self.skeleton = skeleton
        self.grid = Grid(input_size, stride, geometry.convention(pixels))
        self.sigma = sigma
        self.encoding = encoding
        self.decoder = _known(decoder)
        self.channels = len(skeleton)

    @property
    def resolution(self) -> float:
        """Worst error in input pixels 3 sigma inside the map; up to a cell near its border."""
        cells = 0.5 if self.encoding == "biased" else _RESOLUTION[self.decoder]
        return cells * self.grid.cell

    def with_decoder(self, decoder: Decoder) -> Self:
        """The same codec that reads positions another way.

        Raises:
            InputError: there is no such decoder.
        """
        other = copy.copy(self)
        other.decoder = _known(decoder)
        return other

    def encode(self, keypoints: Tensor, visible: Tensor, usable: Tensor) -> MapTarget:
        """Maps (B, K, h, w), zero where unlabelled; weight (B, K, 1, 1) or (B, K, h, w)."""
        points, labelled = only_person(keypoints, visible)
        cells = self.grid.to_cells(points)
        counts = labelled & self.grid.within(maps.nearest(cells), 3 * self.sigma)
        weight = counts.float()[..., None, None]
        biased = self.encoding == "biased"
        drawn = maps.gaussians(cells, self.grid.size, self.sigma, biased=biased)
        return MapTarget(drawn.mul_(weight), weight * self.grid.usable_cells(usable))

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the maps' highest values."""
        heat = output.float()
        cells, values = maps.peaks(heat)
        points = self.grid.to_pixels(self._refine(heat, cells))
        valid = torch.ones(len(points), 1, dtype=torch.bool, device=points.device)
        return Poses(points[:, None], values[:, None], valid)

    def _refine(self, heat: Tensor, cells: Tensor) -> Tensor:
        match self.decoder:
            case "argmax":
                return cells
            case "quarter":
                return maps.quarter_offset(heat, cells)
            case "dark":
                return maps.dark_refine(heat, cells, maps.blur_width(self.sigma))
            case "udp":
                return maps.udp_refine(heat, cells)

    def unflip(self, output: Tensor) -> Tensor:
        """Mirror, exchange left with right, and move as the pixel convention asks."""
        names = mirrored_names(self.skeleton, output.device)
        return maps.mirror_maps(output, names, self.grid.mirror_shift)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _known(decoder: Decoder) -> Decoder:
    if decoder not in _RESOLUTION:
        raise InputError(f"expected a decoder out of {list(_RESOLUTION)}, got {decoder!r}")
    return decoder
