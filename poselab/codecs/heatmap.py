"""Heatmaps of one person, with the encodings and the decoders that papers compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from poselab import heatmaps as maps
from poselab.codecs.grid import GridCodec, single_person, single_pose
from poselab.outputs import HeatmapTarget
from poselab.structures import InputError, Poses

Encoding = Literal["biased", "unbiased", "one_hot"]
Decoder = Literal["argmax", "quarter", "dark", "udp", "expectation", "local"]
Values = Literal["heights", "softmax", "sigmoid"]

# Worst error in cells for exact targets; the first two are geometry, the others are measured by the
# laws in tests for sigma 1 to 3, where the map covers 3 sigma around the keypoint.
_RESOLUTION: dict[Decoder, float] = {
    "argmax": 0.5,
    "quarter": 0.25,
    "dark": 0.02,
    "udp": 0.01,
    "expectation": 0.02,
    "local": 0.02,
}


@dataclass(kw_only=True, eq=False)
class HeatmapCodec(GridCodec):
    """One map a keypoint, found again near its highest cell.

    sigma: in map cells (2 for 256x192, 3 for 384x288 in SimpleBaseline and HRNet).
    encoding: "biased" rounds the Gaussian's centre to a cell as those do; "unbiased" keeps it
    (DARK, UDP); "one_hot" marks the nearest cell alone.
    decoder: "argmax"; "quarter" offset to the higher neighbour; "dark" and "udp" expand the
    logarithm of the blurred map (Zhang et al. 2020; Huang et al. 2020); "expectation" is the mean
    position under the map, "local" the mean within 4 sigma of the highest cell. It says nothing
    about training: :meth:`with_decoder` reads a stored output in another way.
    values: what the network gives: "heights" of the maps; logits whose "softmax" over the map is
    a probability, scaled by what an ideal map's peak would be; or logits of heights ("sigmoid").

    A keypoint weighs nothing where it is not labelled or its Gaussian, cut at 3 sigma, does not
    touch the map; the border's hot cells also take what lies up to a cell outside. Under "hrnet"
    pixels the last half stride of the input has no cell.

    Raises:
        InputError: an unknown encoding, decoder, kind of values or convention, or a stride that
            does not divide the input size.
    """

    decoders: ClassVar[tuple[str, ...]] = get_args(Decoder)

    sigma: float = 2.0
    encoding: Encoding = "biased"
    decoder: Decoder = "quarter"
    values: Values = "heights"

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise InputError(f"expected a sigma above 0 map cells, got {self.sigma}")
        super().__post_init__()
        _expect("an encoding", self.encoding, Encoding)
        _expect("a decoder", self.decoder, Decoder)
        _expect("values", self.values, Values)

    @property
    def resolution(self) -> float:
        """Worst error in input pixels 3 sigma inside the map.

        Near its border up to a cell, and 0.9 sigma for the means.
        """
        cells = _RESOLUTION[self.decoder] if self.encoding == "unbiased" else 0.5
        return cells * self.grid.cell

    def with_decoder(self, decoder: Decoder) -> Self:
        """The same codec that reads positions another way.

        Raises:
            InputError: there is no such decoder.
        """
        return replace(self, decoder=decoder)

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> HeatmapTarget:
        """Maps (B, K, h, w), zero where unlabelled; weight (B, K, 1, 1) or (B, K, h, w)."""
        points, labelled = single_person(keypoints, visibility)
        cells, size = self.grid.to_cells(points), self.grid.size
        reach = 1.0 if self.encoding == "one_hot" else 3 * self.sigma
        weight = (labelled & self.grid.within(maps.nearest(cells), reach)).float()
        if self.encoding == "one_hot":
            inside = [cells[..., axis].clamp(0, size[1 - axis] - 1) for axis in (0, 1)]
            drawn = maps.spikes(torch.stack(inside, dim=-1), size, weight)
        else:
            biased = self.encoding == "biased"
            drawn = maps.gaussians(cells, size, self.sigma, biased=biased, height=weight)
        return HeatmapTarget(drawn, weight[..., None, None] * self.grid.downsample_mask(loss_mask))

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the maps' highest values, of probabilities at most one."""
        heat = self._heights(output.float().contiguous())
        cells, values = maps.peaks(heat)
        points = self.grid.to_pixels(self._refine(heat, cells))
        return single_pose(points, values.clamp(max=1) if self.values == "softmax" else values)

    def _heights(self, output: Tensor) -> Tensor:
        match self.values:
            case "heights":
                return output
            case "sigmoid":
                return output.sigmoid()
            case "softmax":
                spread = 1.0 if self.encoding == "one_hot" else 2 * math.pi * self.sigma**2
                return output.flatten(-2).softmax(-1).mul(spread).view_as(output)

    def _refine(self, heat: Tensor, cells: Tensor) -> Tensor:
        match self.decoder:
            case "argmax":
                return cells
            case "quarter":
                return maps.quarter_offset(heat, cells)
            case "dark":
                return maps.dark_refine(heat, cells, maps.blur_kernel_size(self.sigma))
            case "udp":
                return maps.udp_refine(heat, cells)
            case "expectation":
                return maps.expectation(heat)
            case "local":
                return maps.local_expectation(heat, cells, maps.window_radius(self.sigma))

    def unflip(self, output: Tensor) -> Tensor:
        """Flip, exchange left with right, and move as the pixel convention asks."""
        return self.flipped(output)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _expect(what: str, word: str, among: object) -> None:
    if word not in get_args(among):
        raise InputError(f"expected {what} out of {list(get_args(among))}, got {word!r}")
