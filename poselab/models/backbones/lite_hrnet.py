"""Lite-HRNet: high resolution throughout at low cost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from poselab.models.blocks import bias, conv_norm_relu
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size

_STEM = 32


class LiteHRNet(nn.Module):
    """One feature of ``width`` channels at reduction 4, from branches at 4, 8, 16 and 32.

    modules: how many times the branches of each stage are fused; [2, 4, 2] is Lite-HRNet-18,
    [3, 8, 3] Lite-HRNet-30. Branch i has width·2^i channels. Fusions add each branch once, as in
    the paper. ``authors_fusion``, which published weights need: their code adds the finest branch
    twice, uses the sum made of it for the others, and upsamples from corner to corner at the end.

    Raises:
        InputError: not three numbers of modules, or an input size that 32 does not divide.
    Source: Lite-HRNet, Yu et al. 2021, section 3 and table 1, and the authors' code.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        modules: Sequence[int] = (2, 4, 2),
        width: int = 40,
        authors_fusion: bool = False,
    ) -> None:
        super().__init__()
        if any(side % 32 for side in input_size) or len(modules) != 3 or min(modules) < 1:
            raise InputError(
                "expected three numbers of backbone.modules and framing.size in multiples of 32, "
                f"got {list(modules)} and {tuple(input_size)}; change them"
            )
        self.stem = _Stem()
        widths = [width * 2**level for level in range(4)]
        self.enter = _separable(_STEM, width)
        self.deeper = nn.ModuleList(
            _separable(a, b, stride=2) for a, b in pairwise([_STEM, *widths[1:]])
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Module(widths[: stage + 2], authors_fusion) for _ in range(count)))
            for stage, count in enumerate(modules)
        )
        self.ascent = _Ascent(widths, align_corners=authors_fusion)
        self.feature_info = (FeatureInfo(width, 4),)

    def forward(self, images: Tensor) -> list[Tensor]:
        stem = self.stem(images)
        branches, deepest = [self.enter(stem)], stem
        for deeper, stage in zip(self.deeper, self.stages, strict=True):
            branches = stage([*branches, deeper(deepest)])
            deepest = branches[-1]
        return [self.ascent(branches)]


def _conv(inputs: int, outputs: int, *, relu: bool = True) -> nn.Sequential:
    layers = list(conv_norm_relu(inputs, outputs, kernel=1))
    return nn.Sequential(*layers[: 3 if relu else 2])


def _depthwise(channels: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


def _separable(inputs: int, outputs: int, *, stride: int = 1, relu: bool = True) -> nn.Sequential:
    return nn.Sequential(_depthwise(inputs, stride), _conv(inputs, outputs, relu=relu))


def _shuffled(first: Tensor, second: Tensor) -> Tensor:
    """The channels of two features, alternating."""
    return torch.stack((first, second), dim=2).flatten(1, 2)


class _Stem(nn.Module):
    """A convolution and a shuffle block, each of stride two."""

    def __init__(self) -> None:
        super().__init__()
        half = _STEM // 2
        self.conv = conv_norm_relu(3, _STEM, stride=2)
        self.first = _separable(half, half, stride=2)
        self.second = nn.Sequential(
            _conv(half, _STEM), _depthwise(_STEM, stride=2), _conv(_STEM, half)
        )

    def forward(self, images: Tensor) -> Tensor:
        first, second = self.conv(images).chunk(2, dim=1)
        return _shuffled(self.first(first), self.second(second))


class _CrossWeights(nn.Module):
    """A weight for every channel and cell of each branch, computed from all at the coarsest size.

    Source: section 3.2, equations 3 and 4.
    """

    def __init__(self, widths: list[int], ratio: int = 8) -> None:
        super().__init__()
        total = sum(widths)
        self.widths = widths
        self.squeeze = _conv(total, total // ratio)
        self.excite = _conv(total // ratio, total, relu=False)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        size = (branches[-1].shape[-2], branches[-1].shape[-1])
        pooled = [functional.adaptive_avg_pool2d(x, size) for x in branches[:-1]]
        together = torch.cat([*pooled, branches[-1]], dim=1)
        weights = self.excite(self.squeeze(together)).sigmoid().split(self.widths, dim=1)
        return [
            x * functional.interpolate(w, size=x.shape[-2:])
            for x, w in zip(branches, weights, strict=True)
        ]


class _ChannelWeights(nn.Module):
    """A weight for every channel, computed from the means of all: section 3.2, equation 5.

    The means are near zero after a normalisation; a bias could make ReLUs output zero for ever, so
    it starts at zero.
    """

    def __init__(self, channels: int, ratio: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // ratio, 1)
        self.excite = nn.Conv2d(channels // ratio, channels, 1)
        nn.init.zeros_(bias(self.squeeze))

    def forward(self, x: Tensor) -> Tensor:
        squeezed = functional.relu(self.squeeze(x.mean((-2, -1), keepdim=True)))
        weighted: Tensor = x * self.excite(squeezed).sigmoid()
        return weighted


class _WeightingBlock(nn.Module):
    """Conditional channel weighting of half the channels, then a shuffle: figure 3b."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        halves = [width // 2 for width in widths]
        self.across = _CrossWeights(halves)
        self.within = nn.ModuleList(
            nn.Sequential(_depthwise(half), _ChannelWeights(half)) for half in halves
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        kept, changed = zip(*(x.chunk(2, dim=1) for x in branches), strict=True)
        weighted = self.across(list(changed))
        return [
            _shuffled(same, within(x))
            for same, within, x in zip(kept, self.within, weighted, strict=True)
        ]


class _Module(nn.Module):
    """Two weighting blocks, then every branch becomes the sum of all."""

    def __init__(self, widths: list[int], authors_fusion: bool) -> None:
        super().__init__()
        self.authors_fusion = authors_fusion
        self.blocks = nn.Sequential(_WeightingBlock(widths), _WeightingBlock(widths))
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, goal) for source in range(len(widths)))
            for goal in range(len(widths))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        branches = self.blocks(branches)
        sums: list[Tensor] = []
        for branch, paths in zip(branches, self.paths, strict=True):
            assert isinstance(paths, nn.ModuleList)
            sources = [*sums[:1], *branches[1:]] if self.authors_fusion and sums else branches
            parts = [path(x) for path, x in zip(paths, sources, strict=True)]
            resized = [functional.interpolate(part, size=branch.shape[-2:]) for part in parts]
            if self.authors_fusion:
                resized.append(resized[0])
            sums.append(torch.stack(resized).sum(0))
        return [functional.relu(x) for x in sums]


def _path(widths: list[int], source: int, goal: int) -> nn.Module:
    """Layers from one branch to the channels of another, and to its size if that is coarser."""
    if source == goal:
        return nn.Identity()
    if source > goal:
        return _conv(widths[source], widths[goal], relu=False)
    same = widths[source]
    steps = [_separable(same, same, stride=2) for _ in range(goal - source - 1)]
    return nn.Sequential(*steps, _separable(same, widths[goal], stride=2, relu=False))


class _Ascent(nn.Module):
    """Coarse to fine: convolve, upsample, add to the next finer branch; the finest is returned."""

    def __init__(self, widths: list[int], align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        goals = [widths[0], *widths[:-1]]
        self.layers = nn.ModuleList(_separable(a, b) for a, b in zip(widths, goals, strict=True))

    def forward(self, branches: list[Tensor]) -> Tensor:
        x = branches[-1]
        for level in range(len(branches) - 1, 0, -1):
            finer = branches[level - 1]
            up = functional.interpolate(
                self.layers[level](x),
                size=finer.shape[-2:],
                mode="bilinear",
                align_corners=self.align_corners,
            )
            x = finer + up
        result: Tensor = self.layers[0](x)
        return result
