"""Losses on maps that are probabilities of where a keypoint is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from poselab.outputs import HeatmapTarget


class HeatmapDivergence(nn.Module):
    """Kullback-Leibler divergence of the softmax over a map from its target, brought to sum one.

    Of a one-hot target (codec ``encoding: one_hot``) it is the cross entropy over cells. Cells of
    weight zero are left out of both distributions. The mean over all maps, those without a target
    costing nothing. Outputs are logits: give the codec ``values: softmax``.
    Source: the one-hot cross entropy H3 of integral regression, Sun et al. 2018, section 3.1, and
    its Gaussian form.
    """

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"divergence": scalar}."""
        logits, weight = output.float().flatten(-2), target.weight.expand_as(target.maps)
        weight = weight.flatten(-2)
        ground_truth = target.maps.flatten(-2) * weight
        known = weight > 0
        # A finite floor: a map that nothing is known of would have no softmax.
        found = logits.masked_fill(~known, torch.finfo(torch.float32).min / 4).log_softmax(-1)
        total = ground_truth.sum(-1, keepdim=True)
        share = ground_truth / total.clamp(min=1e-6)
        cost = torch.where(share > 0, share * (share.clamp(min=1e-30).log() - found), 0.0).sum(-1)
        return {"divergence": cost.where(total[..., 0] > 1e-6, 0.0).mean()}
