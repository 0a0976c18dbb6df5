"""The associative embedding loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from poselab.losses.heatmaps import weighted_square_error
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.outputs import TaggedHeatmaps, TagTarget


class TagLoss(nn.Module):
    """Heatmaps, and tags that agree within a person (pull) and differ between people (push).

    heatmaps: mean over all elements of the masked squared error. pull: squared distance of a
    joint's tag from its person's mean tag, mean over the person's joints, then over people. push:
    exp(-(difference of two people's mean tags)²), half its mean over ordered pairs of different
    people, zero for fewer than two. Pull and push are per image, then the mean over all images,
    those without people counting zero; several tags per joint are averaged.
    The arguments are the weights of the terms; a term of weight zero is left out.
    Source: Newell et al. 2017, section 3.2, with the normalisation and the default weights of
    HigherHRNet (Cheng et al. 2020).

    Raises:
        InputError: a negative weight.
    """

    def __init__(self, heatmaps: float = 1.0, pull: float = 1e-3, push: float = 1e-3) -> None:
        super().__init__()
        self.weights = {"heatmaps": heatmaps, "pull": pull, "push": push}
        if min(self.weights.values()) < 0:
            raise InputError(f"expected loss weights of 0 or more, got {self.weights}")

    def forward(self, output: TaggedHeatmaps, target: TagTarget) -> dict[str, Tensor]:
        """Up to three weighted scalars: heatmaps, pull, push."""
        terms = {"heatmaps": weighted_square_error(output.heatmaps, target.heatmaps, target.weight)}
        if self.weights["pull"] or self.weights["push"]:
            terms["pull"], terms["push"] = tag_terms(output.tags, target.cell, target.present)
        return {name: terms[name] * w for name, w in self.weights.items() if w}


def tag_terms(tags: Tensor, cell: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """(pull, push) of tags (B, T, K, h, w) read at cells (B, P, K) where present."""
    index = cell.mT[:, None].expand(-1, tags.shape[1], -1, -1)
    joint_tags = tags.float().flatten(-2).gather(-1, index).mT  # B T P K
    here = present[:, None].to(joint_tags.dtype)
    joints = here.sum(-1)  # B 1 P
    mean = (joint_tags * here).sum(-1) / joints.clamp(min=1)
    is_person = (joints > 0).to(joint_tags.dtype)
    instances = is_person.sum(-1)  # B 1
    variance = ((joint_tags - mean[..., None]).square() * here).sum(-1) / joints.clamp(min=1)
    pull = variance.sum(-1) / instances.clamp(min=1)
    near = torch.exp(-(mean[..., :, None] - mean[..., None, :]).square())  # B T P P
    different = 1 - torch.eye(mean.shape[-1], device=mean.device, dtype=mean.dtype)
    pairs = is_person[..., :, None] * is_person[..., None, :] * different
    # Ordered pairs count each pair twice; the half is in HigherHRNet's code besides.
    push = 0.5 * (near * pairs).sum((-2, -1)) / (instances * (instances - 1)).clamp(min=1)
    return pull.mean(), push.mean()
