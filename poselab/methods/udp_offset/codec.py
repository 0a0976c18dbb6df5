"""A disc around each keypoint, and the offsets of its cells from it (Huang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from poselab.codecs.grid import GridCodec, single_person, single_pose
from poselab.heatmaps import blur_at, blur_kernel, blur_same, blur_valid, peaks
from poselab.heatmaps.windows import windows
from poselab.outputs import HeatmapTarget
from poselab.structures import InputError, Poses

_RESOLUTION = 1e-4  # cells, of float32
_NO_WEIGHT = 1e-6

Code = Literal["udp", "mmpose"]
_EMPTY_CELL: dict[Code, float] = {"udp": 0.0, "mmpose": -1.0}


@dataclass(kw_only=True, eq=False)
class UdpOffsetCodec(GridCodec):
    """Three heatmaps per keypoint: a disc of ``radius`` cells, x and y offset divided by radius.

    They are ordered disc, x, y of the first keypoint, then the next, as in the authors' code.
    Offsets are supervised within the disc only. A labelled keypoint has weight one however far
    outside the heatmap it lies: an empty disc is learnt, as in the authors' code.
    disc_blur and offset_blur: odd sizes in cells of the blurs before discs and offsets are read.
    code: whose rules published weights are decoded by: "udp" (HuangJunJie2017/UDP-Pose, master,
    lib/core/inference.py) and "mmpose" (1.x, codecs/udp_heatmap.py, with blurs of 23 and 1 cells)
    reflect borders, blur offsets alone, and read discs without a value above zero at their first
    cell, or one before it, where mmpose takes the offset of another keypoint; None: ours.
    Source: UDP, Huang et al. 2020, section 3.3; radius 3.5 and the blurs from its code.

    Raises:
        InputError: an unknown code or convention, a radius below three cells, a blur of no odd
            size, or a stride that does not divide the input size.
    """

    radius: float = 3.5
    pixels: str = "udp"
    disc_blur: int = 15
    offset_blur: int = 7
    code: Code | None = None

    def __post_init__(self) -> None:
        if not self.radius >= 3:
            raise InputError(f"expected a radius of 3 heatmap cells or more, got {self.radius}")
        if any(size < 1 or size % 2 == 0 for size in (self.disc_blur, self.offset_blur)):
            raise InputError(
                "expected codec.disc_blur and codec.offset_blur as odd numbers of cells, got "
                f"{self.disc_blur} and {self.offset_blur}"
            )
        if self.code not in (None, *get_args(Code)):
            raise InputError(f"expected codec.code udp, mmpose or null, got {self.code!r}")
        super().__post_init__()
        self.channels = 3 * len(self.skeleton)

    @property
    def resolution(self) -> float:
        """Largest error in input pixels, of float32."""
        return _RESOLUTION * self.grid.cell_size

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> HeatmapTarget:
        """Heatmaps and weight (B, 3K, h, w)."""
        points, labelled = single_person(keypoints, visibility)
        cells = self.grid.to_cells(points)
        h, w = self.grid.size
        x = (cells[..., 0, None] - torch.arange(w, device=cells.device)) / self.radius
        y = (cells[..., 1, None] - torch.arange(h, device=cells.device)) / self.radius
        near = x.square()[..., None, :] + y.square()[..., :, None] <= 1
        disc = (near & labelled[..., None, None]).float()
        heatmaps = torch.stack([disc, disc * x[..., None, :], disc * y[..., :, None]], dim=2)
        # Offsets count in the disc only, the disc everywhere.
        known = labelled.float()[..., None, None].expand_as(disc)
        weight = torch.stack([known, disc, disc], dim=2)
        weight *= self.grid.downsample_mask(loss_mask)[:, :, None]
        return HeatmapTarget(heatmaps.flatten(1, 2), weight.flatten(1, 2))

    def decode(self, output: Tensor) -> Poses:
        """Poses whose scores are the blurred discs' highest values."""
        disc, x, y = _split(output.float().contiguous()).unbind(2)
        if self.code is None:
            cells, scores = self._peaks(disc)
            found = self._keypoints(disc, x, y, cells)
        else:
            cells, scores = peaks(blur_same(disc, blur_kernel(self.disc_blur)))
            cells = torch.where(scores[..., None] > 0, cells, _EMPTY_CELL[self.code])
            offset = torch.stack([blur_at(o, cells, self.offset_blur) for o in (x, y)], dim=-1)
            found = cells + offset * self.radius
        return single_pose(self.grid.to_pixels(found), scores)

    def _peaks(self, disc: Tensor) -> tuple[Tensor, Tensor]:
        """The highest cells (B, K, 2) of the blurred discs, and how much of the blur they fill."""
        kernel = blur_kernel(self.disc_blur)
        cells, heights = peaks(blur_same(disc, kernel, "zero"))
        share = blur_same(torch.ones_like(disc[:1, :1]), kernel, "zero")
        index = (cells[..., 1] * disc.shape[-1] + cells[..., 0]).long()
        return cells, heights / share.flatten()[index]

    def _keypoints(self, disc: Tensor, x: Tensor, y: Tensor, cells: Tensor) -> Tensor:
        """The keypoints (B, K, 2), in cells, that the cells around a peak point to.

        Their mean, weighed by the disc and a blur. The authors blur the offsets alone, which at
        borders, where no cells on the other side balance them, moves a keypoint by up to a radius.
        """
        size = self.offset_blur
        kernel = blur_kernel(size)
        steps = torch.arange(size, device=disc.device, dtype=disc.dtype) - size // 2
        weight = windows(disc, cells, size // 2, "zero").clamp(min=0)
        total = blur_valid(weight, kernel)[..., 0, 0].clamp(min=_NO_WEIGHT)
        moved = [
            blur_valid(weight * (windows(o, cells, size // 2, "zero") * self.radius + step), kernel)
            for o, step in ((x, steps), (y, steps[:, None]))
        ]
        return cells + torch.stack([m[..., 0, 0] / total for m in moved], dim=-1)

    def unflip(self, output: Tensor) -> Tensor:
        """Flip, swap left and right, negate x offsets, shift as the pixel convention requires."""
        disc, x, y = self.flipped(_split(output).transpose(1, 2)).unbind(1)
        return torch.stack([disc, -x, y], dim=2).flatten(1, 2)

    def merge(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean."""
        return (first + second) / 2


def _split(output: Tensor) -> Tensor:
    """(B, 3K, h, w) as (B, K, 3, h, w)."""
    return output.reshape(len(output), -1, 3, *output.shape[-2:])
