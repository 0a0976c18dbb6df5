"""Heatmaps of many people whose keypoints are joined along part affinity fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from poselab.codecs.candidates import candidates, finite, of_members, poses_at
from poselab.codecs.grid import GridCodec
from poselab.grouping.limbs import LimbGrouping, group_by_limbs
from poselab.heatmaps import flip_heatmaps, index_to_cells, max_gaussians, quarter_offset
from poselab.methods.part_affinity.fields import (
    PartFields,
    PartFieldTarget,
    draw_fields,
    limb_scores,
)
from poselab.structures import InputError, Poses, Skeleton

Limbs = tuple[tuple[int, int], ...]


@dataclass(kw_only=True, eq=False)
class PartAffinityCodec(GridCodec):
    """A Gaussian for every keypoint of every person, and a field of unit vectors for every limb.

    sigma and limb_width, the largest distance from a limb at which its field is drawn, are in
    heatmap cells; ``grouping`` defines how decoding joins keypoints. Limbs are the skeleton's and
    those that they become in a flipped image; one with an unlabelled end is not drawn. Of keypoints
    outside the input what reaches into it is drawn, as in the authors' code. Poses are ordered best
    first; a missing keypoint has score zero and lies at the mean of its person's.
    Source: OpenPose, Cao et al. 2017, section 2.

    Raises:
        InputError: a sigma or limb_width not above zero, a skeleton of several keypoints without
            limbs, an unknown convention, or a stride that does not divide the input size.
    """

    multi_person: ClassVar[bool] = True
    sigma: float = 2.0
    limb_width: float = 1.0
    grouping: LimbGrouping = field(default_factory=LimbGrouping)

    def __post_init__(self) -> None:
        if not (self.sigma > 0 and self.limb_width > 0):
            raise InputError(
                "expected sigma and limb_width above 0 heatmap cells, got "
                f"{self.sigma} and {self.limb_width}"
            )
        super().__post_init__()
        self.limbs = flippable_limbs(self.skeleton)
        if not self.limbs and len(self.skeleton) > 1:
            raise InputError(
                f"expected limbs between the keypoints of {self.skeleton.name}, got none; give its "
                "category a `skeleton`, or choose method=associative_embedding"
            )
        self.head_sizes = {"limbs": len(self.limbs)}

    @property
    def resolution(self) -> float:
        """Largest error in input pixels; a quarter cell more where two Gaussians overlap."""
        return 0.25 * self.grid.cell_size

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> PartFieldTarget:
        """Heatmaps (B, K, h, w) and fields (B, L, 2, h, w) of all people of an input."""
        present = visibility > 0
        cells = self.grid.to_cells(keypoints.float().where(present[..., None], 0.0))
        first, second = self._ends(cells.device)
        return PartFieldTarget(
            heatmaps=max_gaussians(cells, present, self.grid.size, self.sigma),
            fields=draw_fields(
                cells[:, :, first],
                cells[:, :, second],
                present[..., first] & present[..., second],
                self.grid.size,
                self.limb_width,
            ),
            weight=self.grid.downsample_mask(loss_mask),
            present=present,
        )

    def decode(self, output: PartFields) -> Poses:
        """Poses padded to ``grouping.max_instances``; scores are the heatmaps at the keypoints."""
        heatmaps, fields = complete(output)
        found = candidates(heatmaps, self.grouping.max_instances)
        cells = quarter_offset(heatmaps, index_to_cells(found.where, heatmaps.shape[-1]))
        # Most images have far fewer candidates than the most that are allowed.
        used = (found.values > self.grouping.detection_threshold).sum(-1).amax(-1).tolist()
        members = torch.full((len(heatmaps), self.grouping.max_instances, self.channels), -1)
        for image, count in enumerate(used):
            instances = self._group(
                fields[image], found.values[image, :, :count], cells[image, :, :count]
            )
            members[image, : len(instances)] = instances
        members = members.to(heatmaps.device)
        detected = members >= 0
        scores = of_members(found.values, members) * detected
        return poses_at(self.grid, of_members(cells, members), scores, detected)

    def _group(self, fields: Tensor, scores: Tensor, cells: Tensor) -> Tensor:
        """Candidates (P, K) of the people of an image: scores (K, M) at cells (K, M, 2)."""
        first, second = self._ends(cells.device)
        limbs = limb_scores(fields, cells[first], cells[second], self.grouping)
        instances = group_by_limbs(
            scores.cpu().numpy(), limbs.cpu().numpy(), self.limbs, self.grouping
        )
        return torch.from_numpy(instances)

    def _ends(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The keypoints (L,) that limbs begin and end at."""
        first, second = torch.tensor(self.limbs, device=device).long().reshape(-1, 2).unbind(1)
        return first, second

    def unflip(self, output: PartFields) -> PartFields:
        """Flip, swap left and right, turn the vectors, shift as the pixel convention requires."""
        heatmaps, fields = complete(output)
        index, sign = flipped_limbs(self.limbs, self.skeleton)
        turn = torch.tensor([[-s, s] for s in sign], device=fields.device, dtype=fields.dtype)
        of_limb = torch.tensor(index, device=fields.device)
        back = flip_heatmaps(fields.transpose(1, 2), of_limb, self.grid.flip_shift).transpose(1, 2)
        return PartFields(self.flipped(heatmaps), back * turn[..., None, None])

    def merge(self, first: PartFields, second: PartFields) -> PartFields:
        """The mean."""
        pairs = zip(complete(first), complete(second), strict=True)
        return PartFields(*((a + b) / 2 for a, b in pairs))


def complete(output: PartFields) -> tuple[Tensor, Tensor]:
    """Heatmaps and fields in full precision, finite.

    Raises:
        ValueError: one of them is missing.
    """
    if output.heatmaps is None or output.fields is None:
        raise ValueError("expected heatmaps and fields of the stage that is decoded, got one")
    return finite(output.heatmaps), finite(output.fields)


def flippable_limbs(skeleton: Skeleton) -> Limbs:
    """The limbs of a skeleton, and those that they become in a flipped image, in any direction."""
    limbs = [*skeleton.limb_index]
    for a, b in skeleton.limb_index:
        flipped = (skeleton.flip_index[a], skeleton.flip_index[b])
        if flipped not in limbs and flipped[::-1] not in limbs:
            limbs.append(flipped)
    return tuple(limbs)


def flipped_limbs(limbs: Limbs, skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Of each limb (L,) the one that it becomes in a flipped image, and -1 if it then is reversed,
    else 1."""
    flip = skeleton.flip_index
    index, sign = [], []
    for a, b in limbs:
        same = (flip[a], flip[b]) in limbs
        index.append(limbs.index((flip[a], flip[b]) if same else (flip[b], flip[a])))
        sign.append(1 if same else -1)
    return index, sign
