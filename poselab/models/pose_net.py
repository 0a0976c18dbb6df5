"""The whole network: backbone, neck and head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class TargetGuided(Protocol):
    """A network whose output in training depends on the target, as teacher forcing does."""

    def guided(self, images: Tensor, target: Any, epoch: int) -> Any:
        """The output for images (B, 3, H, W) float with the codec's target, at an epoch from 0."""


class PoseNet(nn.Module):
    """Backbone, neck and head in sequence: images (B, 3, H, W) float → the head's output.

    Weights and images are in channels-last format, which is faster on CPUs and tensor cores; values
    do not depend on it. ``frozen_statistics`` keeps the running statistics of batch normalisation
    as they are, for batches of few images. ``renormalise`` gives the backbone other inputs than
    RGB normalised with ImageNet's mean and standard deviation.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        frozen_statistics: bool = False,
        renormalise: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.renormalise = renormalise
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.frozen_statistics = frozen_statistics
        self.to(memory_format=torch.channels_last)
        self.train(self.training)

    def forward(self, images: Tensor) -> Any:
        if self.renormalise is not None:
            images = self.renormalise(images)
        images = images.contiguous(memory_format=torch.channels_last)
        return self.head(self.neck(self.backbone(images)))

    def train(self, mode: bool = True) -> Self:
        """As in torch, except that frozen statistics stay frozen."""
        super().train(mode)
        for part in self.modules() if self.frozen_statistics else ():
            # The private base, because SyncBatchNorm shares no public one with BatchNorm2d.
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self
