"""Many people at once: heatmaps whose joints find their people by tags (Newell et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from poselab import heatmaps as maps
from poselab.codecs.grid import GridCodec
from poselab.grouping.tags import TagGrouping, group, joint_order
from poselab.outputs import TaggedHeatmaps, TagTarget
from poselab.structures import InputError, Poses

_REFINED_AT_ONCE = 64  # maps scored together, so that memory stays a few maps deep


@dataclass(kw_only=True, eq=False)
class TagCodec(GridCodec):
    """A Gaussian for every joint of everybody, and tag maps that say whose it is.

    The head gives ``channels`` maps and as many tags. sigma is in map cells; ``grouping`` is what
    happens on the way back. Poses come best first; a joint that nobody found scores zero and lies
    at the mean of its person's joints. Two people whose same joints share a cell share it.

    Raises:
        InputError: an unknown convention, or a stride that does not divide the input size.
    """

    sigma: float = 2.0
    grouping: TagGrouping = field(default_factory=TagGrouping)

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise InputError(f"expected a sigma above 0 map cells, got {self.sigma}")
        super().__post_init__()
        self.order = joint_order(self.skeleton)

    @property
    def resolution(self) -> float:
        """Worst error in input pixels; a quarter cell more where Gaussians of two people meet."""
        return (0.25 if self.grouping.adjust else 0.5) * self.grid.cell

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> TagTarget:
        """Maps (B, K, h, w), weight (B, 1, h, w) or (B, 1, 1, 1), cell and present (B, P, K)."""
        labelled = visibility > 0
        cells = self.grid.to_cells(keypoints.float().where(labelled[..., None], 0.0))
        near = maps.nearest(cells)
        present = labelled & self.grid.within(near, 0)
        column, row = near.where(present[..., None], 0.0).long().unbind(-1)
        return TagTarget(
            maps=maps.splat(cells, labelled, self.grid.size, self.sigma),
            weight=self.grid.downsample_mask(loss_mask),
            cell=row * self.grid.size[1] + column,
            present=present,
        )

    def decode(self, output: TaggedHeatmaps) -> Poses:
        """Poses padded to ``grouping.max_instances``; scores are the maps' values at the joints."""
        heat, tags = output.maps.float(), output.tags.float()
        values, index = self._candidates(heat)
        depth = tags.shape[1]
        read = maps.values_at(tags, index[:, None].expand(-1, depth, -1, -1))
        members = self._members(values, read).to(heat.device)  # B P K
        joints = members >= 0
        chosen = members.clamp(min=0).mT  # B K P
        scores = values.gather(-1, chosen).mT * joints
        where = index.gather(-1, chosen).mT
        if self.grouping.refine:
            own = read.gather(-1, chosen[:, None].expand(-1, depth, -1, -1)).mT  # B T P K
            scores, where = _fill(heat, tags, own, joints, scores, where)
        return self._poses(heat, where, scores, joints.any(-1))

    def _candidates(self, heat: Tensor) -> tuple[Tensor, Tensor]:
        """Values and flat cells (B, K, M) of the highest maxima of every joint."""
        summits = maps.non_maximum_suppression(heat).flatten(-2)
        values, index = summits.topk(min(self.grouping.max_instances, summits.shape[-1]), dim=-1)
        return values, index

    def _members(self, values: Tensor, tags: Tensor) -> Tensor:
        """Which candidate each person takes as each joint, (B, max_people, K), -1 for none."""
        both = torch.cat([values[:, None], tags], dim=1).cpu().numpy()  # one transfer
        members = torch.full((len(both), self.grouping.max_instances, self.channels), -1)
        for row, numbers in zip(members, both, strict=True):
            instances = group(numbers[0], numbers[1:].transpose(1, 2, 0), self.order, self.grouping)
            row[: len(instances)] = torch.from_numpy(instances)
        return members

    def _poses(self, heat: Tensor, where: Tensor, scores: Tensor, valid: Tensor) -> Poses:
        """Poses of joints at flat cells (B, P, K); a score of zero means not found."""
        cells = maps.cells_of(where, heat.shape[-1])
        if self.grouping.adjust:
            cells = maps.quarter_offset(heat, cells.transpose(1, 2)).transpose(1, 2)
        found = (scores > 0)[..., None]
        middle = (cells * found).sum(2, keepdim=True) / found.sum(2, keepdim=True).clamp(min=1)
        return Poses(self.grid.to_pixels(torch.where(found, cells, middle)), scores, valid)

    def unflip(self, output: TaggedHeatmaps) -> TaggedHeatmaps:
        """Flip, exchange left with right, and move as the pixel convention asks."""
        return TaggedHeatmaps(self.flipped(output.maps), self.flipped(output.tags))

    def merge(self, first: TaggedHeatmaps, second: TaggedHeatmaps) -> TaggedHeatmaps:
        """The mean map, and all tags side by side as HigherHRNet's flip test keeps them."""
        return TaggedHeatmaps(
            (first.maps + second.maps) / 2, torch.cat([first.tags, second.tags], dim=1)
        )


def _fill(
    heat: Tensor, tags: Tensor, own: Tensor, joints: Tensor, scores: Tensor, where: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores and cells (B, P, K) with missing joints put where value minus tag distance is highest.

    own (B, T, P, K) are the tags of the joints found. The distance from the person's mean tag is
    rounded to whole tags, as the authors' code does; joints without a positive value stay missing.
    """
    here = joints[:, None].to(own.dtype)
    mean = (own * here).sum(-1) / here.sum(-1).clamp(min=1)  # B T P
    scores, where = scores.clone(), where.clone()
    missing = (joints.any(-1, keepdim=True) & ~joints).nonzero()
    for b, p, k in (part.unbind(-1) for part in torch.split(missing, _REFINED_AT_ONCE)):
        distance = (tags[b, :, k] - mean[b, :, p, None, None]).square().sum(1).sqrt()
        value = heat[b, k].flatten(-2)
        index = (value - distance.round().flatten(-2)).argmax(-1)
        where[b, p, k] = index
        scores[b, p, k] = value.gather(-1, index[:, None])[:, 0].clamp(min=0)
    return scores, where
