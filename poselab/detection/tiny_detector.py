"""The small detector: a Lightning module that trains it, its file, and its use as a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch

from poselab import geometry
from poselab.data.framing import WholeImage
from poselab.data.images import read_and_warp, to_planes
from poselab.detection.base import DetectedBoxes, boxes_of_corners
from poselab.detection.tiny_network import CentreLoss, centre_net, decode_boxes, to_cells
from poselab.io.checkpoints import AtomicCheckpointIO, read_checkpoint
from poselab.models.backbones.renormalise import IMAGENET_MEAN, IMAGENET_STD
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.annotations import Annotations
    from poselab.detection.base import DetectorInput
    from poselab.detection.tiny_data import BoxSample
    from poselab.detection.tiny_network import CentreOutput
    from poselab.structures import Size

KEY = "poselab_detector"
"""The key of a detector file's settings."""


class TinyDetectorModule(pl.LightningModule):
    """Trains the network of a :class:`TinyDetector` on images of ``size`` (height, width).

    Raises:
        InputError: a size that is not a multiple of the coarsest stride.
    """

    def __init__(
        self,
        size: Size = (128, 128),
        widths: Sequence[int] = (16, 48, 96, 128),
        channels: int = 32,
        lr: float = 1e-2,
    ) -> None:
        super().__init__()
        coarsest = 4 * 2 ** (len(widths) - 1)
        if any(length < coarsest or length % coarsest for length in size):
            raise InputError(
                f"expected a size in multiples of {coarsest}, got {size[0]} × {size[1]}; choose "
                "another"
            )
        self.size: Size = (size[0], size[1])
        self.settings = {"size": [*size], "widths": [*widths], "channels": channels, "lr": lr}
        self.net, self.loss, self.lr = centre_net(self.size, widths, channels), CentreLoss(), lr
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1) * 255, persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> CentreOutput:
        """Heatmaps and boxes of images (B, 3, H, W) uint8."""
        output: CentreOutput = self.net((image.float() - self.mean) / self.std)
        return output

    def training_step(self, batch: BoxSample, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        parts = self.loss(self(batch.image), to_cells(batch.corners), batch.present)
        total = torch.stack(list(parts.values())).sum()
        self.log("train/loss", total.detach(), on_epoch=True, on_step=False)
        return total

    def configure_optimizers(self) -> Any:
        """AdamW; the learning rate rises for a tenth of the run, then falls to zero."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=1e-2)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.lr, total_steps=steps, pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def save(detector: TinyDetectorModule, file: Path) -> None:
    """Write a detector's file.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    content = {KEY: detector.settings, "state_dict": detector.state_dict()}
    AtomicCheckpointIO().save_checkpoint(content, file)


def load(file: Path) -> TinyDetectorModule:
    """The detector of a file.

    Raises:
        InputError: no such file, a broken one, or another checkpoint.
    """
    content = read_checkpoint(file, KEY)
    try:
        detector = TinyDetectorModule(**content[KEY])
        detector.load_state_dict(content["state_dict"])
    except (TypeError, LookupError, ValueError, RuntimeError, ArithmeticError):
        raise InputError(
            f"expected the weights of the detector described in {file}, found others; train again"
        ) from None
    return detector.eval()


class TinyDetector:
    """A trained :class:`TinyDetectorModule` by the protocol of detectors."""

    def __init__(self, module: TinyDetectorModule, device: str) -> None:
        self.module, self.device = module.to(device).eval(), device
        self.framing = WholeImage(module.size)

    @torch.inference_mode()
    def __call__(self, images: Sequence[DetectorInput]) -> list[DetectedBoxes]:
        """The boxes at the highest centres of each image."""
        # An image covers [-0.5, W - 0.5]; its size is (height, width).
        areas = [np.array([-0.5, -0.5, *image.size[::-1]]) for image in images]
        matrices = [self.framing.matrix(self.framing.area(area)) for area in areas]
        inputs = [
            to_planes(read_and_warp(image.path, matrix, self.framing.size, image.annotated))
            for image, matrix in zip(images, matrices, strict=True)
        ]
        output = self.module(torch.from_numpy(np.stack(inputs)).to(self.device))
        boxes, scores = (part.double().cpu().numpy() for part in decode_boxes(output))
        corners = [
            geometry.apply(geometry.invert(matrix), box.reshape(-1, 2)).reshape(-1, 4)
            for matrix, box in zip(matrices, boxes, strict=True)
        ]
        return [boxes_of_corners(c, s) for c, s in zip(corners, scores, strict=True)]


def from_file(*, table: Annotations, device: str, file: str) -> TinyDetector:
    """The detector that ``poselab detect train`` wrote; of a folder, its detector.ckpt."""
    del table
    path = Path(file)
    return TinyDetector(load(path / "detector.ckpt" if path.is_dir() else path), device)
