"""Heads that output heatmaps and part affinity fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from poselab.methods.part_affinity.fields import PartFields
from poselab.models.blocks import heatmap_layer
from poselab.outputs import Stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo

KINDS = ("heatmaps", "fields")


class PartAffinityHead(nn.Module):
    """One convolution → ``channels`` heatmaps, and the fields of ``limbs`` limbs."""

    def __init__(self, *, feature_info: Sequence[FeatureInfo], channels: int, limbs: int) -> None:
        super().__init__()
        self.channels = channels
        self.final_layer = heatmap_layer(feature_info[-1].channels, channels + 2 * limbs)

    def forward(self, features: list[Tensor]) -> PartFields:
        output = self.final_layer(features[-1])
        return _part_fields(output[:, : self.channels], output[:, self.channels :])


class StagedPartAffinityHead(nn.Module):
    """Stages that refine fields, then heatmaps, or both, as ``stages`` lists them.

    ``stages`` are words: "fields", "heatmaps" or "both". The paper of 2019 has four of fields and
    two of heatmaps, that of 2017 six of both in two branches. A stage sees the feature and the
    latest heatmaps and fields. It has ``blocks`` blocks of three 3×3 convolutions of ``width``
    channels whose outputs are concatenated, then a 1×1 convolution of 512 channels and the last;
    the first stage of either kind has ``first_width`` and 256. All stages are supervised: each
    output is in one of the stages that are returned, the last of which has the latest heatmaps and
    fields.
    Source: Cao et al. 2019, section 3.2 and figure 3; widths of the authors' BODY_25 model.

    Raises:
        InputError: another word, or stages that leave out heatmaps or fields.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        limbs: int,
        stages: Sequence[str] = ("fields", "fields", "fields", "fields", "heatmaps", "heatmaps"),
        blocks: int = 5,
        width: int = 128,
        first_width: int = 96,
    ) -> None:
        super().__init__()
        made = {kind for stage in stages for kind in _kinds(stage)}
        if made != set(KINDS):
            raise InputError(
                "expected head.stages to be fields, heatmaps or both, and to make both kinds, got "
                f"{list(stages)}"
            )
        sizes = {"heatmaps": channels, "fields": 2 * limbs}
        self.order = [_kinds(stage) for stage in stages]
        self.branches = nn.ModuleList()
        inputs, seen = feature_info[-1].channels, set[str]()
        for kinds in self.order:
            for kind in kinds:
                hidden = (width, 512) if kind in seen else (first_width, 256)
                self.branches.append(_branch(inputs, sizes[kind], blocks, *hidden))
            inputs += sum(sizes[kind] for kind in kinds if kind not in seen)
            seen.update(kinds)

    def forward(self, features: list[Tensor]) -> Stages[PartFields]:
        outputs: list[tuple[str, Tensor]] = []
        latest: dict[str, Tensor] = {}
        branches = iter(self.branches)
        for kinds in self.order:
            inputs = torch.cat([features[-1], *(latest[k] for k in KINDS if k in latest)], dim=1)
            made = {kind: next(branches)(inputs) for kind in kinds}
            outputs += made.items()
            latest |= made
        earlier = [_part_fields(**{k: out}) for k, out in outputs if out is not latest[k]]
        return Stages((*earlier, _part_fields(**latest)))


def _kinds(stage: str) -> tuple[str, ...]:
    return KINDS if stage == "both" else (stage,)


def _part_fields(heatmaps: Tensor | None = None, fields: Tensor | None = None) -> PartFields:
    """Of heatmaps (B, K, h, w) and the components (B, 2L, h, w) of fields."""
    return PartFields(heatmaps, None if fields is None else torch.unflatten(fields, 1, (-1, 2)))


def _branch(inputs: int, outputs: int, blocks: int, width: int, hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for block in range(blocks):
        layers.append(ConcatenatedConvolutions(inputs if block == 0 else 3 * width, width))
    layers += [nn.Conv2d(3 * width, hidden, 1), nn.PReLU(hidden), heatmap_layer(hidden, outputs)]
    return nn.Sequential(*layers)


class ConcatenatedConvolutions(nn.Module):
    """Three 3×3 convolutions in a row with PReLU, whose outputs (B, 3·width, h, w) are kept."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(n, width, 3, padding=1), nn.PReLU(width))
            for n in (inputs, width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return torch.cat(outputs, dim=1)
