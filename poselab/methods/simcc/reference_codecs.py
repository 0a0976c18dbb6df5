"""Classified coordinates decoded as the reference implementation of published weights does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from poselab.codecs.grid import flip_indices
from poselab.methods.simcc.codec import SimccCodec
from poselab.outputs import AxisLogits

if TYPE_CHECKING:
    from poselab.structures import Poses


class SimdrCodec(SimccCodec):
    """SimCC with equal label smoothing: flipped bins move left by one, scores are probabilities.

    Source: leeyegy/SimCC, lib/core/function.py, validate_simdr.
    """

    flip_shift: ClassVar[int] = 1  # bins to the left

    def unflip(self, output: AxisLogits) -> AxisLogits:
        """Flip x, swap left and right, and move x left by the authors' shift."""
        index = flip_indices(self.skeleton, output.x.device)
        x = output.x[:, index].flip(-1)
        if self.flip_shift:
            x = torch.cat([x[..., self.flip_shift :], x[..., -self.flip_shift :]], dim=-1)
        return AxisLogits(x=x, y=output.y[:, index])

    def _scores(self, rows: tuple[Tensor, Tensor], highest: tuple[Tensor, Tensor]) -> Tensor:
        return torch.maximum(*_probabilities(rows, highest))


class GaussianSimdrCodec(SimdrCodec):
    """SimCC with Gaussian label smoothing: logits are averaged, the lower probability is the score.

    Source: leeyegy/SimCC, lib/core/function.py, validate_sa_simdr.
    """

    def merge(self, first: AxisLogits, second: AxisLogits) -> AxisLogits:
        """The mean of the logits."""
        return AxisLogits(*((a + b) / 2 for a, b in zip(first, second, strict=True)))

    def _scores(self, rows: tuple[Tensor, Tensor], highest: tuple[Tensor, Tensor]) -> Tensor:
        return torch.minimum(*_probabilities(rows, highest))


class MmposeSimccCodec(GaussianSimdrCodec):
    """mmpose 1.x: flipped bins stay, logits are averaged, the smaller logit is the score.

    A keypoint whose score is not above zero lies one bin before the first.
    Source: open-mmlab/mmpose, mmpose/codecs/simcc_label.py, mmpose/models/utils/tta.py.
    """

    flip_shift: ClassVar[int] = 0

    def decode(self, output: AxisLogits) -> Poses:
        """Poses at the highest bins."""
        poses = super().decode(output)
        positive = poses.scores[..., None] > 0
        return poses._replace(keypoints=torch.where(positive, poses.keypoints, -1 / self.split))

    def _scores(self, rows: tuple[Tensor, Tensor], highest: tuple[Tensor, Tensor]) -> Tensor:
        return torch.minimum(*highest)


def _probabilities(
    rows: tuple[Tensor, Tensor], highest: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """The probabilities (B, K) of the highest bins of x and of y."""
    x, y = ((top - row.logsumexp(-1)).exp() for top, row in zip(highest, rows, strict=True))
    return x, y
