"""The whole network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class PoseNet(nn.Module):
    """Backbone, neck and head in a row: images (B, 3, H, W) float → whatever the head emits.

    Weights and images are laid out channels last, which convolutions of CPUs and of tensor cores
    prefer; values do not depend on it.
    """

    def __init__(self, *, backbone: nn.Module, neck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Any:
        images = images.contiguous(memory_format=torch.channels_last)
        return self.head(self.neck(self.backbone(images)))
