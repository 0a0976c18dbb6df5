"""CSPNeXt: the backbone of RTMDet and RTMPose."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from poselab.models.backbones.weights import load_strictly
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.structures import Size

_WIDTHS, _BLOCKS = (64, 128, 256, 512, 1024), (3, 6, 6, 3)  # of the large one
_POOLS = (5, 9, 13)  # cells
_REDUCTION = 32


class CSPNeXt(nn.Module):
    """Features at reductions 4, 8, 16, 32 from four cross-stage-partial stages.

    deepen and widen multiply the blocks and channels of the large network: (0.167, 0.375) is
    tiny, (0.33, 0.5) small, (0.67, 0.75) medium. weights: a checkpoint of mmdetection or mmpose,
    with or without the head. Normalisation has PyTorch's defaults, as RTMPose's configs ask for;
    RTMDet's has eps 1e-3 and momentum 0.03.

    Raises:
        InputError: factors not above zero, an input size that 32 does not divide, or weights that
            do not fit.
    Source: RTMDet, Lyu et al. 2022, section 3.2 and figure 3; RTMPose, Jiang et al. 2023.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        deepen: float = 1.0,
        widen: float = 1.0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if any(side % _REDUCTION for side in input_size) or not (deepen > 0 and widen > 0):
            raise InputError(
                f"expected framing.size in multiples of {_REDUCTION} and backbone.deepen and widen "
                f"above 0, got {tuple(input_size)}, {deepen} and {widen}; change them"
            )
        widths = [int(width * widen) for width in _WIDTHS]
        half = widths[0] // 2
        # Here and below, attributes have the names of the published checkpoints.
        self.stem = nn.Sequential(
            _conv(3, half, 3, stride=2), _conv(half, half, 3), _conv(half, widths[0], 3)
        )
        counts = [max(round(blocks * deepen), 1) for blocks in _BLOCKS]
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            _stage(*sizes, last=sizes[1] == widths[-1])
            for sizes in zip(widths, widths[1:], counts, strict=False)
        )
        self.feature_info = tuple(
            FeatureInfo(width, 4 * 2**level) for level, width in enumerate(widths[1:])
        )
        if weights is not None:
            load_strictly(self, Path(weights), what="CSPNeXt", convert=_backbone_alone)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        features = []
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)
            features.append(x)
        return features


def _backbone_alone(state: dict[str, Tensor], net: Any) -> dict[str, Tensor]:
    """The state of a detector or pose network with the backbone's keys renamed to ours."""
    del net
    return {key.removeprefix("backbone."): value for key, value in state.items()}


def _stage(inputs: int, outputs: int, blocks: int, *, last: bool) -> nn.Sequential:
    """Half the size; the last stage has pooling and no identities."""
    layers: list[nn.Module] = [_conv(inputs, outputs, 3, stride=2)]
    if last:
        layers.append(_SpatialPyramidPooling(outputs))
    return nn.Sequential(*layers, _CrossStage(outputs, blocks, identity=not last))


def _conv(
    inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, SiLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers = {"conv": conv, "bn": nn.BatchNorm2d(outputs), "activate": nn.SiLU(inplace=True)}
    return nn.Sequential(OrderedDict(layers))


class _SpatialPyramidPooling(nn.Module):
    """Maxima over windows of several widths, and the feature map itself (He et al. 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = _conv(channels, half)
        self.conv2 = _conv(half * (1 + len(_POOLS)), channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        pooled = [functional.max_pool2d(x, width, 1, width // 2) for width in _POOLS]
        result: Tensor = self.conv2(torch.cat([x, *pooled], dim=1))
        return result


class _CrossStage(nn.Module):
    """Half the channels pass blocks, half bypass them; both are weighted by channel attention."""

    def __init__(self, channels: int, blocks: int, *, identity: bool) -> None:
        super().__init__()
        half = channels // 2
        self.main_conv, self.short_conv = _conv(channels, half), _conv(channels, half)
        self.blocks = nn.Sequential(*(_Block(half, identity=identity) for _ in range(blocks)))
        self.attention = _ChannelAttention(2 * half)
        self.final_conv = _conv(2 * half, channels)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1)
        result: Tensor = self.final_conv(self.attention(both))
        return result


class _Block(nn.Module):
    """A 3×3 convolution, then a 5×5 one channel by channel and a 1×1 one: figure 3b of RTMDet."""

    def __init__(self, channels: int, *, identity: bool) -> None:
        super().__init__()
        self.identity = identity
        self.conv1 = _conv(channels, channels, 3)
        separable = {
            "depthwise_conv": _conv(channels, channels, 5, groups=channels),
            "pointwise_conv": _conv(channels, channels),
        }
        self.conv2 = nn.Sequential(OrderedDict(separable))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.conv2(self.conv1(x))
        return changed + x if self.identity else changed


class _ChannelAttention(nn.Module):
    """Every channel times a hard sigmoid of a mix of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.hardsigmoid(self.fc(x.mean((-2, -1), keepdim=True)))
