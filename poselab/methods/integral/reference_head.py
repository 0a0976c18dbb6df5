"""Integral regression as the published weights of mmpose need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from poselab.methods.integral.head import SoftArgmaxCoordinates, SoftArgmaxHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.models.feature_info import FeatureInfo


class MmposeSoftArgmaxHead(SoftArgmaxHead):
    """mmpose 1.x: cell i of n lies at i / n - 0.5, and every keypoint has confidence one.

    normalise: "softmax"; "debiased": besides, a mean m from 0 to 1 is moved to
    C / (C - 1) · (m - 1 / (2C)), C being the sum of exp(heatmap) whatever the temperature. The
    codec is ``HrnetCoordinateCodec``.
    Source: open-mmlab/mmpose, mmpose/models/heads/regression_heads/integral_regression_head.py.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        normalise: Literal["softmax", "debiased"] = "softmax",
        position: Literal["soft_argmax", "argmax"] = "soft_argmax",
        temperature: float = 1.0,
    ) -> None:
        super().__init__(
            feature_info=feature_info,
            channels=channels,
            position=position,
            temperature=temperature,
        )
        self.debias = normalise == "debiased"

    def forward(self, features: list[Tensor]) -> SoftArgmaxCoordinates:
        output = super().forward(features)
        height, width = output.heatmaps.shape[-2:]
        mean = output.xy + 0.5 - 0.5 / output.xy.new_tensor([width, height])
        if self.debias:
            total = output.heatmaps.exp().sum((-2, -1))[..., None]
            mean = total / (total - 1) * (mean - 1 / (2 * total))
        return output._replace(xy=mean - 0.5, confidence=torch.ones_like(output.confidence))
