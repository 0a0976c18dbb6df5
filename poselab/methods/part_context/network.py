"""Part and context heatmaps read by soft-argmax, block after block (Luvizon et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from poselab.heatmaps import soft_argmax
from poselab.models.blocks import PreciseConv2d, conv_norm_relu
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Coordinates, Stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size


class ReceptionStem(nn.Module):
    """The layers before the first block: one feature of 576 channels at reduction 8.

    Source: Luvizon et al. 2019, section 3, and the authors' code, after Inception-v4.
    """

    def __init__(self, *, input_size: Size) -> None:
        super().__init__()
        del input_size  # the head checks it
        self.enter = nn.Sequential(
            conv_norm_relu(3, 32, stride=2), conv_norm_relu(32, 32), conv_norm_relu(32, 64)
        )
        self.halve = conv_norm_relu(64, 96, stride=2)
        self.short = nn.Sequential(conv_norm_relu(160, 64, kernel=1), _conv_norm(64, 96))
        self.long = nn.Sequential(
            conv_norm_relu(160, 64, kernel=1), *_strip((5, 1)), *_strip((1, 5)), _conv_norm(64, 96)
        )
        self.halve_again = nn.Sequential(nn.ReLU(), _conv_norm(192, 192, stride=2))
        self.leave = SeparableResidual(384, 576, kernel=3)
        self.feature_info = (FeatureInfo(576, 8),)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.enter(images)
        x = torch.cat([self.halve(x), functional.max_pool2d(x, 3, 2, 1)], dim=1)
        x = torch.cat([self.short(x), self.long(x)], dim=1)
        x = torch.cat([self.halve_again(x), functional.max_pool2d(x, 2)], dim=1)
        return [self.leave(x)]


def _conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _strip(kernel: tuple[int, int]) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(64, 64, kernel, padding=(kernel[0] // 2, kernel[1] // 2), bias=False)
    return conv, nn.BatchNorm2d(64), nn.ReLU(inplace=True)


def _relu_separable(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """ReLU, a depthwise and a pointwise convolution, normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False),
        _conv_norm(inputs, outputs, kernel=1),
    )


class SeparableResidual(nn.Module):
    """A separable convolution around an identity, or a 1×1 convolution where widths differ."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        narrower, same = outputs < inputs, outputs == inputs
        self.skip = nn.Identity() if same else _relu_conv_norm(inputs, outputs)
        self.reduce = _relu_conv_norm(inputs, outputs) if narrower else nn.Identity()
        self.layers = _relu_separable(outputs if narrower else inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.skip(x) + self.layers(self.reduce(x))
        return result


def _relu_conv_norm(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), _conv_norm(inputs, outputs, kernel=1))


class ReceptionBlock(nn.Module):
    """The sum of separable residuals at three scales, the coarser two half as wide."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        half = width // 2
        self.fine = SeparableResidual(width, width, kernel)
        self.enter = nn.Sequential(
            _relu_conv_norm(width, half), SeparableResidual(half, half, kernel)
        )
        self.middle = SeparableResidual(half, half, kernel)
        self.coarse = nn.Sequential(*(SeparableResidual(half, half, kernel) for _ in range(3)))
        self.leave = SeparableResidual(half, width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        low = self.enter(functional.max_pool2d(x, 2))
        lower = self.coarse(functional.max_pool2d(low, 2))
        low = self.middle(low) + functional.interpolate(lower, scale_factor=2.0)
        up = functional.interpolate(self.leave(low), scale_factor=2.0)
        result: Tensor = self.fine(x) + up
        return result


class PartContextHead(nn.Module):
    """Blocks on the last feature, each with a part and ``contexts`` context heatmaps per keypoint.

    A position is ``share`` times the soft-argmax of its part heatmap plus 1 - ``share`` times the
    average of its context heatmaps' soft-argmax, weighted by the sigmoid of their highest value;
    that of the part heatmap is the confidence. Each block gives :class:`Coordinates`; its heatmaps
    are added to the next block's input.
    Source: Luvizon et al. 2019, section 3, and the authors' code; cells lie where our pixels do.

    Raises:
        InputError: a setting out of range; when called, a feature whose sides 4 does not divide.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        blocks: int = 8,
        contexts: int = 2,
        share: float = 0.8,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        if blocks < 1 or contexts < 0 or not 0 < share <= 1 or kernel % 2 == 0:
            raise InputError(
                "expected head.blocks of 1 or more, contexts of 0 or more, a share above 0 and up "
                f"to 1 and an odd kernel, got {blocks}, {contexts}, {share} and {kernel}"
            )
        width, heatmaps = feature_info[-1].channels, channels * (1 + contexts)
        self.channels, self.contexts = channels, contexts
        self.share = share if contexts else 1.0
        self.blocks = nn.ModuleList(ReceptionBlock(width, kernel) for _ in range(blocks))
        self.mix = nn.ModuleList(_relu_separable(width, width, kernel) for _ in range(blocks))
        self.heatmap_layers = nn.ModuleList(
            nn.Sequential(nn.ReLU(), PreciseConv2d(width, heatmaps, 1, bias=False))
            for _ in range(blocks)
        )
        self.back = nn.ModuleList(_relu_conv_norm(heatmaps, width) for _ in range(blocks - 1))

    def forward(self, features: list[Tensor]) -> Stages[Coordinates]:
        x = features[-1]
        if any(side % 4 for side in x.shape[-2:]):
            raise InputError(
                f"expected features with sides in multiples of 4, got {tuple(x.shape[-2:])}; "
                "change framing.size"
            )
        outputs = []
        for level, block in enumerate(self.blocks):
            x = block(x)
            mixed = self.mix[level](x)
            heatmaps = self.heatmap_layers[level](mixed)
            outputs.append(self._coordinates(heatmaps.float()))
            if level < len(self.back):
                x = x + mixed + self.back[level](heatmaps)
        return Stages(tuple(outputs))

    def _coordinates(self, heatmaps: Tensor) -> Coordinates:
        """Positions and confidence from heatmaps (B, K + K·contexts, h, w), parts first."""
        means, present = soft_argmax(heatmaps), heatmaps.amax((-2, -1)).sigmoid()
        xy, confidence = means[:, : self.channels], present[:, : self.channels]
        if self.contexts:
            shape = (len(heatmaps), self.channels, self.contexts)
            context_means = means[:, self.channels :].reshape(*shape, 2)
            weight = present[:, self.channels :].reshape(*shape, 1)
            context = (context_means * weight).sum(2) / weight.sum(2)
            xy = self.share * xy + (1 - self.share) * context
        return Coordinates(xy, confidence)
