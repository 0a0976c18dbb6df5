"""Cascaded pyramid network: heatmaps of each pyramid level, then of all levels together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from poselab.models.blocks import conv_norm_relu, heatmap_layer
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Size, Tensor


class CpnNeck(nn.Module):
    """A feature pyramid of ``channels`` channels, coarse to fine.

    Each level is a feature plus the coarser level, upsampled bilinearly and through a 1×1
    convolution.

    Raises:
        InputError: the backbone gives a single feature.
    Source: GlobalNet of CPN, Chen et al. 2018, section 3.2.
    """

    def __init__(self, *, feature_info: Sequence[FeatureInfo], channels: int = 256) -> None:
        super().__init__()
        if len(feature_info) < 2:
            raise InputError(
                "expected a backbone with several features for a pyramid, got "
                f"{len(feature_info)}; choose another backbone, or more of backbone.reductions"
            )
        self.laterals = nn.ModuleList(
            conv_norm_relu(feature.channels, channels, kernel=1)
            for feature in reversed(feature_info)
        )
        self.ascents = nn.ModuleList(_projection(channels, channels) for _ in feature_info[1:])
        self.feature_info = tuple(
            FeatureInfo(channels, f.reduction) for f in reversed(feature_info)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        levels: list[Tensor] = []
        for lateral, x in zip(self.laterals, reversed(features), strict=True):
            level = lateral(x)
            if levels:
                up = _resized(levels[-1], level.shape[-2:])
                level = level + self.ascents[len(levels) - 1](up)
            levels.append(level)
        return levels


def _projection(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def _resized(x: Tensor, size: Size) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear")


class Bottleneck(nn.Module):
    """Three convolutions that narrow to ``middle`` channels, around an identity or projection."""

    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_norm_relu(inputs, middle, kernel=1),
            conv_norm_relu(middle, middle),
            _projection(middle, outputs),
        )
        same = inputs == outputs
        self.skip = nn.Identity() if same else _projection(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.layers(x) + self.skip(x), inplace=True)


class CpnHead(nn.Module):
    """Heatmaps (B, channels, h, w) of every pyramid level, then of RefineNet as the last stage.

    Levels come coarse to fine; all stages are of the finest level's size. In RefineNet a level
    passes one bottleneck per finer level, is upsampled and joined with the others.
    Source: GlobalNet's predictions and RefineNet of CPN, Chen et al. 2018, sections 3.2 and 3.3.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int, middle: int | None = None
    ) -> None:
        super().__init__()
        width = feature_info[-1].channels
        narrow = width // 2 if middle is None else middle
        self.levels = nn.ModuleList(
            nn.Sequential(
                conv_norm_relu(feature.channels, feature.channels, kernel=1),
                heatmap_layer(feature.channels, channels, 3),
            )
            for feature in feature_info
        )
        self.refine = nn.ModuleList(
            nn.Sequential(*(Bottleneck(width, narrow, width) for _ in range(finer)))
            for finer in reversed(range(len(feature_info)))
        )
        self.join = Bottleneck(width * len(feature_info), narrow, width)
        self.final_layer = heatmap_layer(width, channels, 3)

    def forward(self, features: list[Tensor]) -> Stages[Tensor]:
        size = features[-1].shape[-2:]
        outputs = [_resized(level(x), size) for level, x in zip(self.levels, features, strict=True)]
        refined = [
            _resized(refine(x), size) for refine, x in zip(self.refine, features, strict=True)
        ]
        outputs.append(self.final_layer(self.join(torch.cat(refined, dim=1))))
        return Stages(tuple(outputs))
