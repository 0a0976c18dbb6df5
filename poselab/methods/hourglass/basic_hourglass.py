"""The hourglass of mmpose's published weights: basic blocks in place of bottlenecks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from poselab.models.blocks import BasicBlock, conv_norm_relu
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.structures import Size

_WIDTHS = (256, 256, 384, 384, 384, 512)
_BLOCKS = (2, 2, 2, 2, 2, 4)


class BasicHourglass(nn.Module):
    """Stem and one hourglass of five levels: one feature of 256 channels at reduction 4.

    Raises:
        InputError: an input size that 128 does not divide.
    Source: Hourglass-52 of open-mmlab/mmpose, mmpose/models/backbones/hourglass.py; its blocks and
    widths are those of CornerNet (Law and Deng 2018).
    """

    def __init__(self, *, input_size: Size) -> None:
        super().__init__()
        if any(side % 128 for side in input_size):
            raise InputError(
                f"expected framing.size in multiples of 128, got {tuple(input_size)}; change it"
            )
        width = _WIDTHS[0]
        self.stem = nn.Sequential(
            conv_norm_relu(3, width // 2, kernel=7, stride=2),
            BasicBlock(inputs=width // 2, outputs=width, stride=2),
        )
        self.hourglass = _Level(0)
        self.out = conv_norm_relu(width, width)
        self.feature_info = (FeatureInfo(width, 4),)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.out(self.hourglass(self.stem(images)))]


class _Level(nn.Module):
    """A skip branch, and a branch through the next level at half the size."""

    def __init__(self, level: int) -> None:
        super().__init__()
        outer, inner, blocks = _WIDTHS[level], _WIDTHS[level + 1], _BLOCKS[level]
        deepest = level + 2 == len(_WIDTHS)
        self.skip = _blocks([outer] * (blocks + 1))
        self.down = _blocks([outer] + [inner] * blocks, stride=2)
        self.inner = _blocks([inner] * (_BLOCKS[-1] + 1)) if deepest else _Level(level + 1)
        self.up = _blocks([inner] * blocks + [outer])

    def forward(self, x: Tensor) -> Tensor:
        low = self.up(self.inner(self.down(x)))
        result: Tensor = self.skip(x) + functional.interpolate(low, scale_factor=2.0)
        return result


def _blocks(widths: list[int], stride: int = 1) -> nn.Sequential:
    """Blocks between neighbouring widths, of which the first has the stride."""
    return nn.Sequential(
        *(
            BasicBlock(inputs=a, outputs=b, stride=1 if number else stride)
            for number, (a, b) in enumerate(pairwise(widths))
        )
    )
