"""Necks: feature maps of a backbone → the feature maps that a head reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from poselab.models.blocks import conv_norm_relu
from poselab.models.feature_info import FeatureInfo
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_DECONV_PADDING = {2: (0, 0), 3: (1, 1), 4: (1, 0)}  # kernel → padding, output padding of doubling


class LastFeature(nn.Module):
    """Pass on only the deepest feature."""

    def __init__(self, *, feature_info: Sequence[FeatureInfo]) -> None:
        super().__init__()
        self.feature_info = (feature_info[-1],)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return features[-1:]


class HighestResolution(nn.Module):
    """Pass on only the first, finest feature.

    Let the backbone give no other (``reductions=[4]`` for HRNet): layers that only lead to the
    others would never be trained.
    """

    def __init__(self, *, feature_info: Sequence[FeatureInfo]) -> None:
        super().__init__()
        self.feature_info = (feature_info[0],)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return features[:1]


class DeconvNeck(nn.Module):
    """Upsample the deepest feature by transposed convolutions of stride two.

    Raises:
        InputError: more layers than the feature can be upsampled by, or another kernel than 2 to 4.
    Source: SimpleBaseline, Xiao et al. 2018, section 2; initialised as in the authors' code.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        layers: int = 3,
        channels: int = 256,
        kernel: int = 4,
    ) -> None:
        super().__init__()
        if kernel not in _DECONV_PADDING:
            raise InputError(f"expected neck.kernel 2, 3 or 4, got {kernel}; choose one of them")
        inputs, reduction = feature_info[-1]
        if layers < 1 or reduction % 2**layers:
            raise InputError(
                f"expected neck.layers to divide a reduction of {reduction} by two per layer, "
                f"got {layers}; choose fewer, at least 1"
            )
        padding, extra = _DECONV_PADDING[kernel]
        self.layers = nn.Sequential()
        for width in (inputs, *[channels] * (layers - 1)):
            deconv = nn.ConvTranspose2d(width, channels, kernel, 2, padding, extra, bias=False)
            nn.init.normal_(deconv.weight, std=0.001)
            norm_relu = (nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
            self.layers.append(nn.Sequential(deconv, *norm_relu))
        self.feature_info = (FeatureInfo(channels, reduction // 2**layers),)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return [self.layers(features[-1])]


class BilinearNeck(nn.Module):
    """ReLU and bilinear upsampling of the deepest feature, without parameters.

    Raises:
        InputError: a scale that does not divide the feature's reduction.
    Source: the simple decoder of ViTPose, Xu et al. 2022, equation 3; a 3×3 convolution follows.
    """

    def __init__(self, *, feature_info: Sequence[FeatureInfo], scale: int = 4) -> None:
        super().__init__()
        inputs, reduction = feature_info[-1]
        if scale < 1 or reduction % scale:
            raise InputError(
                f"expected neck.scale to divide a reduction of {reduction}, got {scale}; choose "
                "another"
            )
        self.scale = scale
        self.feature_info = (FeatureInfo(inputs, reduction // scale),)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        x = functional.relu(features[-1])
        return [functional.interpolate(x, scale_factor=float(self.scale), mode="bilinear")]


class FuseNeck(nn.Module):
    """Add the features up, coarse to fine, into one feature of the given reduction.

    Every feature passes a 1×1 convolution, nearest-neighbour upsampling brings the coarser ones to
    the next finer grid, and a 3×3 convolution smooths the sum.

    Raises:
        InputError: no feature has that reduction.
    Source: feature pyramid networks, Lin et al. 2017, section 3; finest level only.
    """

    def __init__(
        self, *, feature_info: Sequence[FeatureInfo], channels: int = 64, reduction: int = 4
    ) -> None:
        super().__init__()
        offered = [feature.reduction for feature in feature_info]
        if reduction not in offered:
            raise InputError(f"expected neck.reduction out of {offered}, got {reduction}")
        self.first = offered.index(reduction)
        self.laterals = nn.ModuleList(
            nn.Conv2d(feature.channels, channels, 1) for feature in feature_info[self.first :]
        )
        self.smooth = conv_norm_relu(channels, channels)
        self.feature_info = (FeatureInfo(channels, reduction),)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        inputs = features[self.first :]
        levels = [lateral(x) for lateral, x in zip(self.laterals, inputs, strict=True)]
        total = levels.pop()
        for finer in reversed(levels):
            total = finer + functional.interpolate(total, size=finer.shape[-2:], mode="nearest")
        return [self.smooth(total)]
