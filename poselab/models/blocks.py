"""Layers that our own backbones, necks and heads share."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor


class PreciseConv2d(nn.Conv2d):
    """A convolution outside autocast, for outputs that keypoints are read from.

    Rounded to the eight bits of bfloat16, a peak and its neighbours tie, which takes the quarter
    offset away, and positions and tags move.
    """

    def forward(self, x: Tensor) -> Tensor:
        with _no_autocast(x.device.type):
            return super().forward(x.to(self.weight.dtype))


class PreciseLinear(nn.Linear):
    """A linear layer outside autocast, as :class:`PreciseConv2d`."""

    def forward(self, x: Tensor) -> Tensor:
        with _no_autocast(x.device.type):
            return super().forward(x.to(self.weight.dtype))


def _no_autocast(device: str) -> AbstractContextManager[Any]:
    """A context without autocast; empty on devices that have none, such as meta."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)


def conv_norm_relu(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution with odd kernel, batch normalisation, ReLU: (B, C, H, W) / stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def heatmap_layer(inputs: int, outputs: int, kernel: int = 1) -> PreciseConv2d:
    """A convolution to heatmaps that start close to zero (Xiao et al. 2018, authors' code)."""
    layer = PreciseConv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.normal_(layer.weight, std=0.001)
    nn.init.zeros_(bias(layer))
    return layer


def bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The bias of a layer that has one."""
    assert layer.bias is not None
    return layer.bias


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around an identity (He et al. 2016, figure 2)."""

    def __init__(self, *, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_norm_relu(inputs, outputs, stride=stride)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.shortcut(x), inplace=True)
