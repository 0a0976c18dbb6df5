"""Heads that classify coordinates: features → logits of the bins along each axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from poselab.models.blocks import PreciseLinear, heatmap_layer
from poselab.outputs import AxisLogits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo
    from poselab.structures import Size


class SimccHead(nn.Module):
    """One heatmap per keypoint, flattened, and one linear layer per axis, shared by all keypoints.

    bins: (along y, along x), the codec's; cells: (h, w) of the feature.
    Source: SimCC, Li et al. 2022, section 3.1 and released code.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int, bins: Size, cells: Size
    ) -> None:
        super().__init__()
        self.final_layer = heatmap_layer(feature_info[-1].channels, channels)
        self.x = PreciseLinear(cells[0] * cells[1], bins[1])
        self.y = PreciseLinear(cells[0] * cells[1], bins[0])

    def forward(self, features: list[Tensor]) -> AxisLogits:
        flat = self.final_layer(features[-1]).flatten(2)
        return AxisLogits(x=self.x(flat), y=self.y(flat))


class RtmccHead(nn.Module):
    """A wide convolution, one token per keypoint, a gated attention unit, a linear layer per axis.

    Source: RTMPose, Jiang et al. 2023, section 3.2 and released code.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        bins: Size,
        cells: Size,
        kernel: int = 7,
        hidden: int = 256,
        keys: int = 128,
    ) -> None:
        super().__init__()
        self.final_layer = heatmap_layer(feature_info[-1].channels, channels, kernel)
        self.norm = ScaleNorm(cells[0] * cells[1])
        self.tokens = nn.Linear(cells[0] * cells[1], hidden, bias=False)
        self.attention = GatedAttention(hidden, keys)
        self.x = PreciseLinear(hidden, bins[1], bias=False)
        self.y = PreciseLinear(hidden, bins[0], bias=False)
        for layer in (self.tokens, self.attention.split, self.attention.out, self.x, self.y):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, features: list[Tensor]) -> AxisLogits:
        flat = self.final_layer(features[-1]).flatten(2)
        tokens = self.attention(self.tokens(self.norm(flat)))
        return AxisLogits(x=self.x(tokens), y=self.y(tokens))


class ScaleNorm(nn.Module):
    """Vectors (…, d) scaled to length √d, times a learnt gain (Nguyen and Salazar 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        # Squares overflow half precision; 1e-5 is the epsilon of RTMPose's code.
        length = x.float().norm(dim=-1, keepdim=True) * self.width**-0.5
        scaled: Tensor = x / length.clamp(min=1e-5).to(x.dtype) * self.gain
        return scaled


class GatedAttention(nn.Module):
    """Attention among tokens (B, K, d) with squared ReLU in place of softmax, gated, residual.

    Source: gated attention unit, Hua et al. 2022, figure 2, with the sizes of RTMPose's code:
    values twice as wide as tokens, queries and keys of ``keys`` numbers.
    """

    def __init__(self, width: int, keys: int = 128) -> None:
        super().__init__()
        self.sizes = [2 * width, 2 * width, keys]
        self.norm = ScaleNorm(width)
        self.split = nn.Linear(width, sum(self.sizes), bias=False)
        self.scale = nn.Parameter(torch.rand(2, keys))
        self.shift = nn.Parameter(torch.rand(2, keys))
        self.out = nn.Linear(2 * width, width, bias=False)
        self.residual = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        parts = functional.silu(self.split(self.norm(x)))
        gate, value, base = torch.split(parts, self.sizes, dim=-1)
        query, key = (base[..., None, :] * self.scale + self.shift).unbind(-2)
        attention = functional.relu(query @ key.mT / math.sqrt(key.shape[-1])).square()
        result: Tensor = x * self.residual + self.out(gate * (attention @ value))
        return result
