"""Integral regression as the published weights of mmpose need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from poselab.methods.integral.head import SoftArgmaxCoordinates, SoftArgmaxHead

if TYPE_CHECKING:
    from torch import Tensor


class MmposeSoftArgmaxHead(SoftArgmaxHead):
    """mmpose 1.x: cell i of n lies at i / n - 0.5, and every keypoint has confidence one.

    debias: whether a mean m from 0 to 1 is moved to C / (C - 1) · (m - 1 / (2C)), where C is the sum
    of exp(heatmap), whatever the temperature. The codec is ``HrnetCoordinateCodec``.
    Source: open-mmlab/mmpose, mmpose/models/heads/regression_heads/integral_regression_head.py.
    """

    def __init__(self, *, debias: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.debias = debias

    def forward(self, features: list[Tensor]) -> SoftArgmaxCoordinates:
        output = super().forward(features)
        height, width = output.heatmaps.shape[-2:]
        mean = output.xy + 0.5 - 0.5 / output.xy.new_tensor([width, height])
        if self.debias:
            total = output.heatmaps.exp().sum((-2, -1))[..., None]
            mean = total / (total - 1) * (mean - 1 / (2 * total))
        return output._replace(xy=mean - 0.5, confidence=torch.ones_like(output.confidence))
