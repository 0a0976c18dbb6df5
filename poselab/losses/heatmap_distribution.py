"""The loss on heatmaps as probability distributions over cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from poselab.outputs import HeatmapTarget


class HeatmapDivergence(nn.Module):
    """Kullback-Leibler divergence of the softmax over a heatmap from its target, scaled to sum one.

    For a one-hot target (codec ``encoding: one_hot``) it is the cross entropy over cells. Cells of
    weight zero are left out of both distributions. The mean over all heatmaps, where those without
    a target count as zero. Outputs are logits: give the codec ``activation: softmax``.
    Source: the one-hot cross entropy H3 of integral regression, Sun et al. 2018, section 3.1, and
    its Gaussian form.
    """

    def forward(self, output: Tensor, target: HeatmapTarget) -> dict[str, Tensor]:
        """{"divergence": scalar}."""
        logits, weight = output.float().flatten(-2), target.weight.expand_as(target.heatmaps)
        weight = weight.flatten(-2)
        weighted = target.heatmaps.flatten(-2) * weight
        known = weight > 0
        # A finite minimum: with -inf everywhere a fully masked heatmap would have no softmax.
        minimum = torch.finfo(torch.float32).min / 4
        log_p = logits.masked_fill(~known, minimum).log_softmax(-1)
        total = weighted.sum(-1, keepdim=True)
        q = weighted / total.clamp(min=1e-6)
        cost = torch.where(q > 0, q * (q.clamp(min=1e-30).log() - log_p), 0.0).sum(-1)
        return {"divergence": cost.where(total[..., 0] > 1e-6, 0.0).mean()}
