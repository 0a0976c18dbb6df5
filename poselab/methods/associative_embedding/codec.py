"""Heatmaps of many people whose joints are grouped by tags (Newell et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from poselab.codecs.candidates import candidates, finite, of_members, poses_at
from poselab.codecs.grid import GridCodec, inside_input
from poselab.grouping.tags import TagGrouping, group, joint_order
from poselab.heatmaps import (
    index_to_cells,
    max_gaussians,
    nearest_cell,
    quarter_offset,
    row_peaks,
    values_at,
)
from poselab.outputs import TaggedHeatmaps, TagTarget
from poselab.structures import InputError, Poses


@dataclass(kw_only=True, eq=False)
class TagCodec(GridCodec):
    """A Gaussian for every joint of every person, and tags that tell people apart.

    The head outputs ``channels`` heatmaps and as many tag maps. sigma is in heatmap cells;
    ``grouping`` defines how decoding groups joints into people. Poses are ordered best first; a
    missing joint has score zero and lies at the mean of its person's joints. Two people whose
    joints of one kind fall into the same cell share it. Joints outside the input have neither
    Gaussian nor tag, as in the authors' code.

    Raises:
        InputError: a sigma not above zero, an unknown convention, or a stride that does not divide
            the input size.
    """

    multi_person: ClassVar[bool] = True
    sigma: float = 2.0
    grouping: TagGrouping = field(default_factory=TagGrouping)

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise InputError(f"expected a sigma above 0 heatmap cells, got {self.sigma}")
        super().__post_init__()
        self.order = joint_order(self.skeleton)

    @property
    def resolution(self) -> float:
        """Largest error in input pixels; a quarter cell more where two Gaussians overlap."""
        return (0.25 if self.grouping.adjust else 0.5) * self.grid.cell_size

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> TagTarget:
        """Heatmaps (B, K, h, w), weight (B, 1, h, w) or (B, 1, 1, 1), cell, present (B, P, K)."""
        drawn = (visibility > 0) & inside_input(keypoints, self.input_size)
        cells = self.grid.to_cells(keypoints.float().where(drawn[..., None], 0.0))
        nearest = nearest_cell(cells)
        present = drawn & self.grid.within(nearest, 0)
        column, row = nearest.where(present[..., None], 0.0).long().unbind(-1)
        return TagTarget(
            heatmaps=max_gaussians(cells, drawn, self.grid.size, self.sigma),
            weight=self.grid.downsample_mask(loss_mask),
            cell=row * self.grid.size[1] + column,
            present=present,
        )

    def decode(self, output: TaggedHeatmaps) -> Poses:
        """Poses padded to ``grouping.max_instances``; scores are the heatmaps at the joints."""
        heatmaps, tags = finite(output.heatmaps), finite(output.tags)
        depth = tags.shape[1]
        found = candidates(heatmaps, self.grouping.max_instances)
        candidate_tags = values_at(tags, found.where[:, None].expand(-1, depth, -1, -1))
        members = self._group(found.values, candidate_tags).to(heatmaps.device)  # B P K
        detected = members >= 0
        scores = of_members(found.values, members) * detected
        where = of_members(found.where, members)
        if self.grouping.refine:
            spread = members.clamp(min=0).mT[:, None].expand(-1, depth, -1, -1)
            joint_tags = candidate_tags.gather(-1, spread).mT  # B T P K
            scores, where = _place_missing(heatmaps, tags, joint_tags, detected, scores, where)
        cells = index_to_cells(where, heatmaps.shape[-1])
        if self.grouping.adjust:
            cells = quarter_offset(heatmaps, cells.transpose(1, 2)).transpose(1, 2)
        return poses_at(self.grid, cells, scores, detected)

    def _group(self, values: Tensor, tags: Tensor) -> Tensor:
        """The candidate (B, max_instances, K) of each person's joints, -1 for none."""
        both = torch.cat([values[:, None], tags], dim=1).cpu().numpy()  # one transfer
        members = torch.full((len(both), self.grouping.max_instances, self.channels), -1)
        for row, image in zip(members, both, strict=True):
            instances = group(image[0], image[1:].transpose(1, 2, 0), self.order, self.grouping)
            row[: len(instances)] = torch.from_numpy(instances)
        return members

    def unflip(self, output: TaggedHeatmaps) -> TaggedHeatmaps:
        """Flip, swap left and right, and shift as the pixel convention requires."""
        return TaggedHeatmaps(self.flipped(output.heatmaps), self.flipped(output.tags))

    def merge(self, first: TaggedHeatmaps, second: TaggedHeatmaps) -> TaggedHeatmaps:
        """The mean heatmaps, and all tags side by side as HigherHRNet's flip test keeps them."""
        return TaggedHeatmaps(
            (first.heatmaps + second.heatmaps) / 2, torch.cat([first.tags, second.tags], dim=1)
        )


def _place_missing(
    heatmaps: Tensor,
    tags: Tensor,
    joint_tags: Tensor,
    detected: Tensor,
    scores: Tensor,
    where: Tensor,
) -> tuple[Tensor, Tensor]:
    """Scores and cells (B, P, K), with each missing joint at its best cell.

    The best cell has the highest heatmap value minus tag distance. joint_tags (B, T, P, K) are the
    tags of the detected joints. The distance from the person's mean tag is rounded to an integer,
    as in the authors' code; joints without a positive value stay missing.
    """
    here = detected[:, None].to(joint_tags.dtype)
    mean = (joint_tags * here).sum(-1) / here.sum(-1).clamp(min=1)  # B T P
    scores, where = scores.clone(), where.clone()
    missing = detected.any(-1, keepdim=True) & ~detected
    for b, k in missing.any(1).nonzero().tolist():
        people = missing[b, :, k].nonzero()[:, 0]
        value = heatmaps[b, k].flatten()
        index = _best_cells(value, tags[b, :, k].flatten(1), mean[b, :, people])
        where[b, people, k] = index
        scores[b, people, k] = value[index].clamp(min=0)
    return scores, where


def _best_cells(value: Tensor, tags: Tensor, mean: Tensor) -> Tensor:
    """The cell (N,) of the highest value (h·w) less its distance from tags (T, h·w) to mean tags
    (T, N), rounded."""
    difference = tags[:, None] - mean[..., None]
    one_tag = len(tags) == 1
    distance = difference[0].abs_() if one_tag else difference.square_().sum(0).sqrt_()
    return row_peaks(torch.sub(value, distance.round_(), out=distance))[0]
