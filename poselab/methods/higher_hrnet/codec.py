"""Tagged heatmaps, and heatmaps of twice their resolution (Cheng et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from poselab.codecs.candidates import finite
from poselab.methods.associative_embedding.codec import TagCodec
from poselab.outputs import HeatmapTarget, TaggedHeatmaps
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import TagTarget
    from poselab.structures import Poses, Size


class TwoResolutions(NamedTuple):
    """low, heatmaps and tags at the network's stride, and high (B, K, 2h, 2w), heatmaps alone."""

    low: TaggedHeatmaps
    high: Tensor


class TwoResolutionTarget(NamedTuple):
    """The targets of :class:`TwoResolutions`."""

    low: TagTarget
    high: HeatmapTarget


@dataclass(kw_only=True, eq=False)
class HigherHrnetCodec(TagCodec):
    """:class:`TagCodec` with a second set of heatmaps, of twice the resolution and the same sigma
    in cells.

    Decoding takes the mean of the two, the lower one enlarged, and the tags enlarged; with
    ``enlarge`` all of it at the resolution of the input, as the authors do ("project to image").

    Raises:
        InputError: as :class:`TagCodec`, and an odd stride.
    Source: HigherHRNet, Cheng et al. 2020, sections 3.2 to 3.4.
    """

    enlarge: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride % 2:
            raise InputError(f"expected an even stride for two resolutions, got {self.stride}")
        self.high = self._at(self.stride // 2)
        self.whole = self._at(1) if self.enlarge else self.high

    def _at(self, stride: int) -> TagCodec:
        return TagCodec(
            skeleton=self.skeleton,
            input_size=self.input_size,
            stride=stride,
            pixels=self.pixels,
            sigma=self.sigma,
            grouping=self.grouping,
        )

    @property
    def resolution(self) -> float:
        """Largest error in input pixels: half a cell of the higher resolution; under the pixel
        convention "hrnet" the authors' enlargement moves positions besides."""
        moved = (self.stride - 1) / 2 if self.grid.pixels.name == "hrnet" else 0.0
        return 0.5 * self.high.grid.cell_size + moved

    def encode(  # type: ignore[override]
        self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor
    ) -> TwoResolutionTarget:
        """The targets of both resolutions."""
        high = self.high.encode(keypoints, visibility, loss_mask)
        return TwoResolutionTarget(
            super().encode(keypoints, visibility, loss_mask),
            HeatmapTarget(high.heatmaps, high.weight),
        )

    def decode(self, output: TwoResolutions) -> Poses:  # type: ignore[override]
        """See :meth:`TagCodec.decode`."""
        return self.whole.decode(self.aggregated(output))

    def aggregated(self, output: TwoResolutions) -> TaggedHeatmaps:
        """Heatmaps and tags at the resolution at which poses are decoded."""
        heatmaps, tags = finite(output.low.heatmaps), finite(output.low.tags)
        finer, size = self.high.grid.size, self.whole.grid.size
        mean = (self._enlarged(heatmaps, finer) + finite(output.high)) / 2
        # The authors enlarge twice, by two and to the input, which is not the same as once.
        depth = tags.shape[1]
        flat = self._enlarged(self._enlarged(tags.flatten(1, 2), finer), size)
        return TaggedHeatmaps(self._enlarged(mean, size), torch.unflatten(flat, 1, (depth, -1)))

    def _enlarged(self, heatmaps: Tensor, size: Size) -> Tensor:
        if heatmaps.shape[-2:] == size:
            return heatmaps
        corners = self.grid.pixels.name == "udp"  # whose outermost cells lie on outermost pixels
        return functional.interpolate(heatmaps, size, mode="bilinear", align_corners=corners)

    def unflip(self, output: TwoResolutions) -> TwoResolutions:  # type: ignore[override]
        """Flip, swap left and right, and shift as the pixel convention requires."""
        return TwoResolutions(super().unflip(output.low), self.high.flipped(output.high))

    def merge(  # type: ignore[override]
        self, first: TwoResolutions, second: TwoResolutions
    ) -> TwoResolutions:
        """The mean heatmaps, and all tags side by side."""
        return TwoResolutions(super().merge(first.low, second.low), (first.high + second.high) / 2)
