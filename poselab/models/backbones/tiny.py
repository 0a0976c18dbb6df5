"""A small ResNet that trains from random weights on a CPU."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import nn

from poselab.models.blocks import BasicBlock, conv_norm_relu
from poselab.models.feature_info import FeatureInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size


class TinyResNet(nn.Module):
    """Features at reductions 4, 8, 16, ... from one stage of basic blocks for each of ``widths``.

    All convolutions are dense: on CPUs depthwise ones are slower, bound by memory traffic.
    """

    def __init__(
        self,
        *,
        input_size: Size,
        widths: Sequence[int] = (32, 64, 128, 192),
        blocks: int = 1,
        stem: int = 16,
    ) -> None:
        super().__init__()
        del input_size  # convolutions fit any
        self.stem = nn.Sequential(
            conv_norm_relu(3, stem, stride=2), conv_norm_relu(stem, widths[0], stride=2)
        )
        self.stages = nn.ModuleList([_stage(widths[0], widths[0], blocks, stride=1)])
        self.stages.extend(_stage(a, b, blocks, stride=2) for a, b in pairwise(widths))
        self.feature_info = tuple(FeatureInfo(c, 4 * 2**level) for level, c in enumerate(widths))

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs=inputs, outputs=outputs, stride=stride)
    rest = [BasicBlock(inputs=outputs, outputs=outputs) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)
