"""Layers that our own backbones, necks and heads share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def conv_norm_relu(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution with odd kernel, batch normalisation, ReLU: (B, C, H, W) / stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def heatmap_layer(inputs: int, outputs: int, kernel: int = 1) -> nn.Conv2d:
    """A convolution to heatmaps that start close to zero (Xiao et al. 2018, authors' code)."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
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
