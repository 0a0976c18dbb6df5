"""Stacked hourglasses: a stem, and a head that refines heatmaps stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from poselab.models.blocks import conv_norm_relu, heatmap_layer
from poselab.models.feature_info import FeatureInfo
from poselab.outputs import Stages
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size


class Residual(nn.Module):
    """Bottleneck with normalisation before each convolution (He et al. 2016b, figure 1b)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = outputs // 2
        widths = ((inputs, middle, 1), (middle, middle, 3), (middle, outputs, 1))
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.BatchNorm2d(a), nn.ReLU(), nn.Conv2d(a, b, kernel, padding=kernel // 2)
                )
                for a, b, kernel in widths
            )
        )
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x) + self.skip(x)
        return result


class HourglassStem(nn.Module):
    """The layers before the first hourglass: one feature of 128 channels at reduction 4.

    Source: Newell et al. 2016, section 3.2; the last residual, to the hourglasses' width, belongs
    to the head.
    """

    def __init__(self, *, input_size: Size, width: int = 128) -> None:
        super().__init__()
        del input_size  # the head checks it
        self.layers = nn.Sequential(
            conv_norm_relu(3, width // 2, kernel=7, stride=2),
            Residual(width // 2, width),
            nn.MaxPool2d(2),
            Residual(width, width),
        )
        self.feature_info = (FeatureInfo(width, 4),)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layers(images)]


class Hourglass(nn.Module):
    """Pool ``depth`` times, upsample by nearest neighbours, add each level's skip branch.

    blocks: residuals per level and branch.
    """

    def __init__(self, depth: int, width: int, blocks: int = 1) -> None:
        super().__init__()
        self.skip = _residuals(width, blocks)
        self.down = _residuals(width, blocks)
        self.inner = Hourglass(depth - 1, width, blocks) if depth > 1 else _residuals(width, blocks)
        self.up = _residuals(width, blocks)

    def forward(self, x: Tensor) -> Tensor:
        low = self.up(self.inner(self.down(functional.max_pool2d(x, 2))))
        result: Tensor = self.skip(x) + functional.interpolate(low, scale_factor=2.0)
        return result


def _residuals(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width, width) for _ in range(blocks)))


class _Stage(nn.Module):
    """An hourglass, the features behind it and the heatmaps made of them."""

    def __init__(self, width: int, channels: int, depth: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Hourglass(depth, width, blocks),
            _residuals(width, blocks),
            conv_norm_relu(width, width, kernel=1),
        )
        self.final_layer = heatmap_layer(width, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(x)
        return features, self.final_layer(features)


class HourglassHead(nn.Module):
    """A stack of hourglasses on the last feature → heatmaps (B, channels, h, w) of every stage.

    The next stage's input is the sum of a stage's input, features and heatmaps. ``stacks`` is 1, 2,
    4 or 8 in the paper, ``width`` 256, ``depth`` 4 (64×64 → 4×4), ``blocks`` 1.

    Raises:
        InputError: no stack, depth or block; when called, sides that 2^depth does not divide.
    Source: Newell et al. 2016, sections 3.1 to 3.3, and the authors' code.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        stacks: int = 8,
        width: int = 256,
        depth: int = 4,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        if min(stacks, depth, blocks) < 1:
            raise InputError(
                f"expected head.stacks, depth and blocks of 1 or more, got {stacks}, {depth}, "
                f"{blocks}; give 1 at least"
            )
        self.depth = depth
        self.enter = Residual(feature_info[-1].channels, width)
        self.stages = nn.ModuleList(_Stage(width, channels, depth, blocks) for _ in range(stacks))
        self.from_features = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(stacks - 1))
        self.from_heatmaps = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in range(stacks - 1))

    def forward(self, features: list[Tensor]) -> Stages[Tensor]:
        size = features[-1].shape[-2:]
        if any(side % 2**self.depth for side in size):
            raise InputError(
                f"expected features with sides in multiples of {2**self.depth} for hourglasses of "
                f"depth {self.depth}, got {tuple(size)}; change framing.size or method.head.depth"
            )
        x = self.enter(features[-1])
        outputs = []
        for level, stage in enumerate(self.stages):
            stage_features, heatmaps = stage(x)
            outputs.append(heatmaps)
            if level < len(self.from_heatmaps):
                x = x + self.from_features[level](stage_features)
                x = x + self.from_heatmaps[level](heatmaps)
        return Stages(tuple(outputs))
