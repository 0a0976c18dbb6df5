"""Heatmaps of one person, with the encodings and decoders that papers compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from poselab.codecs.decoding_rules import OURS, RULES, Code
from poselab.codecs.grid import Grid, GridCodec, SquareGrid, single_person, single_pose
from poselab.heatmaps import (
    blur_kernel_size,
    dark_refine,
    gaussians,
    local_mean_position,
    mean_position,
    nearest_cell,
    one_hot,
    peaks,
    quarter_offset,
    udp_refine,
    window_radius,
)
from poselab.outputs import HeatmapTarget
from poselab.structures import InputError, Poses

if TYPE_CHECKING:
    from poselab.geometry import PixelConvention

Encoding = Literal["biased", "unbiased", "one_hot"]
Decoder = Literal["argmax", "quarter", "dark", "udp", "soft_argmax", "local_soft_argmax"]
Activation = Literal["identity", "softmax", "sigmoid"]

# Largest error in cells for exact targets. The first two follow from geometry, the others are
# measured by the laws in tests for sigma 1 to 3, at least 3 sigma inside the heatmap.
_RESOLUTION: dict[Decoder, float] = {
    "argmax": 0.5,
    "quarter": 0.25,
    "dark": 0.02,
    "udp": 0.01,
    "soft_argmax": 0.02,
    "local_soft_argmax": 0.02,
}


@dataclass(kw_only=True, eq=False)
class HeatmapCodec(GridCodec):
    """One heatmap per keypoint, decoded near its highest cell.

    sigma: in heatmap cells (2 for 256x192, 3 for 384x288 in SimpleBaseline and HRNet).
    encoding: "biased" rounds the Gaussian's centre to a cell as those do; "unbiased" keeps it
    (DARK, UDP); "one_hot" sets only the nearest cell.
    decoder: "argmax"; "quarter" offset to the higher neighbour; "dark" and "udp" expand the
    logarithm of the blurred heatmap (Zhang et al. 2020; Huang et al. 2020); "soft_argmax" is the
    mean position under the heatmap, "local_soft_argmax" the mean within 4 sigma of the highest
    cell. Training does not depend on it: :meth:`with_decoder` decodes a stored output again.
    blur: odd size in cells of the blur before "dark" and "udp"; None: by sigma, 3, 11 or 17 at a
    sigma of 1, 2 or 3, as in DARK's paper.
    code: whose rules decoding follows at borders, in the blur's rescaling and in heatmaps without a
    value above zero, a key of :data:`poselab.codecs.decoding_rules.RULES`; None: ours.
    activation: what turns the network's output into heatmaps: "identity"; "softmax" over all cells,
    scaled to the height of the targets; or "sigmoid".

    reach: a labelled keypoint has a weight if its nearest cell lies at most this many sigma outside
    the heatmap along either axis: 3 in SimpleBaseline's, HRNet's, DARK's and UDP's code, where
    Gaussians are cut (to the left and the top theirs reach one cell more, which stays empty); 0 in
    CPN's. One-hot targets reach one cell.

    Under the pixel convention "hrnet" the last half stride of the input has no cell.

    Raises:
        InputError: an unknown encoding, decoder, activation or convention, or a stride that does
            not divide the input size.
    """

    decoders: ClassVar[tuple[str, ...]] = get_args(Decoder)

    sigma: float = 2.0
    encoding: Encoding = "biased"
    decoder: Decoder = "quarter"
    blur: int | None = None
    code: Code | None = None
    activation: Activation = "identity"
    reach: float = 3.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise InputError(f"expected a sigma above 0 heatmap cells, got {self.sigma}")
        if not self.reach >= 0:
            raise InputError(f"expected codec.reach of 0 sigma or more, got {self.reach}")
        if self.blur is not None and (self.blur < 1 or self.blur % 2 == 0):
            raise InputError(f"expected codec.blur as an odd number of cells, got {self.blur}")
        if self.code is not None:
            _check_choice("code", self.code, Code)
        self.rules = OURS if self.code is None else RULES[self.code]
        super().__post_init__()
        _check_choice("encoding", self.encoding, Encoding)
        _check_choice("decoder", self.decoder, Decoder)
        _check_choice("activation", self.activation, Activation)

    def _make_grid(self, pixels: PixelConvention) -> Grid:
        grid = SquareGrid if self.rules.square_cells else Grid
        return grid(self.input_size, self.stride, pixels)

    @property
    def resolution(self) -> float:
        """Largest error in input pixels, at least 3 sigma inside the heatmap.

        Nearer to its border it is up to a cell, 1.25 cells after UDP's blur, which reflects what
        lies inside, and 0.9 sigma for the means.
        """
        cells = _RESOLUTION[self.decoder] if self.encoding == "unbiased" else 0.5
        return cells * self.grid.cell_size

    def with_decoder(self, decoder: Decoder) -> Self:
        """The same codec with another decoder.

        Raises:
            InputError: there is no such decoder.
        """
        return replace(self, decoder=decoder)

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> HeatmapTarget:
        """Heatmaps (B, K, h, w), zero where unlabelled; weight (B, K, 1, 1) or (B, K, h, w);
        visible (B, K)."""
        points, labelled = single_person(keypoints, visibility)
        cells, size = self.grid.to_cells(points), self.grid.size
        reach = 1.0 if self.encoding == "one_hot" else self.reach * self.sigma
        weight = (labelled & self.grid.within(nearest_cell(cells), reach)).float()
        if self.encoding == "one_hot":
            inside = [cells[..., axis].clamp(0, size[1 - axis] - 1) for axis in (0, 1)]
            heatmaps = one_hot(torch.stack(inside, dim=-1), size, weight)
        else:
            biased = self.encoding == "biased"
            heatmaps = gaussians(cells, size, self.sigma, biased=biased, height=weight)
        mask = self.grid.downsample_mask(loss_mask)
        return HeatmapTarget(heatmaps, weight[..., None, None] * mask, visibility[:, 0] == 2)

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the heatmaps' highest values, at most one after a softmax."""
        # Contiguous, because searching rows of a channels-last output jumps through memory.
        heatmaps = self._activate(output.float().contiguous())
        cells, scores = peaks(heatmaps)
        found, empty = self._refine(heatmaps, cells), self.rules.empty_cell
        if empty is not None:
            found = torch.where(scores[..., None] > 0, found, empty)
        points = self.grid.to_pixels(found)
        # A softmax that is narrower than its target peaks above the target's height of one.
        return single_pose(points, scores.clamp(max=1) if self.activation == "softmax" else scores)

    def _activate(self, output: Tensor) -> Tensor:
        match self.activation:
            case "identity":
                return output
            case "sigmoid":
                return output.sigmoid()
            case "softmax":
                # The sum of a target of height one, so that a perfect output peaks at one.
                total = 1.0 if self.encoding == "one_hot" else 2 * math.pi * self.sigma**2
                return output.flatten(-2).softmax(-1).mul(total).view_as(output)

    def _refine(self, heatmaps: Tensor, cells: Tensor) -> Tensor:
        """Positions in cells (B, K, 2) from the highest cells."""
        match self.decoder:
            case "argmax":
                return cells
            case "quarter":
                return quarter_offset(heatmaps, cells, self.rules.quarter_border)
            case "dark" | "udp":
                size = self.blur or blur_kernel_size(self.sigma)
                refine = dark_refine if self.decoder == "dark" else udp_refine
                return refine(heatmaps, cells, self.rules.blur._replace(size=size))
            case "soft_argmax":
                return mean_position(heatmaps)
            case "local_soft_argmax":
                return local_mean_position(heatmaps, cells, window_radius(self.sigma))

    def unflip(self, output: Tensor) -> Tensor:
        """Flip, swap left and right, and shift as the pixel convention requires."""
        return self.flipped(output)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _check_choice(name: str, value: str, choices: object) -> None:
    if value not in get_args(choices):
        raise InputError(f"expected codec.{name} out of {list(get_args(choices))}, got {value!r}")
