"""The small detector: trained here, kept in a file that describes itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch

from poselab import geometry
from poselab.data.framing import WholeImage
from poselab.data.images import planes, show
from poselab.detection.base import Found, from_corners
from poselab.detection.tiny import PointLoss, cells_of, people_at, point_net
from poselab.io.checkpoints import WholeCheckpoints, read_checkpoint
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.annotations import Annotations
    from poselab.detection.base import Shown
    from poselab.detection.tiny import Points
    from poselab.detection.tiny_data import Boxed
    from poselab.structures import Size

KEY = "poselab_detector"
"""Where a detector's file keeps what it was made with."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TinyDetector(pl.LightningModule):
    """People as points, in images scaled to fit into ``size`` (height, width).

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
        self.made = {"size": [*size], "widths": [*widths], "channels": channels, "lr": lr}
        self.net, self.loss, self.lr = point_net(self.size, widths, channels), PointLoss(), lr
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1) * 255, persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> Points:
        """What is seen in images (B, 3, H, W) uint8."""
        found: Points = self.net((image.float() - self.mean) / self.std)
        return found

    def training_step(self, batch: Boxed, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        parts = self.loss(self(batch.image), cells_of(batch.edges), batch.present)
        total = torch.stack(list(parts.values())).sum()
        self.log("train/loss", total.detach(), on_epoch=True, on_step=False)
        return total

    def configure_optimizers(self) -> Any:
        """AdamW; the learning rate rises for a tenth of the run and falls to nothing."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=1e-2)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.lr, total_steps=steps, pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def save(detector: TinyDetector, file: Path) -> None:
    """Write a detector's file.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    content = {KEY: detector.made, "state_dict": detector.state_dict()}
    WholeCheckpoints().save_checkpoint(content, file)


def load(file: Path) -> TinyDetector:
    """The detector of a file.

    Raises:
        InputError: no such file, a broken one, or another checkpoint.
    """
    content = read_checkpoint(file, KEY)
    made = content[KEY]
    detector = TinyDetector(tuple(made["size"]), made["widths"], made["channels"], made["lr"])
    try:
        detector.load_state_dict(content["state_dict"])
    except RuntimeError:
        raise InputError(
            f"expected the weights of the detector described in {file}, found others; train anew"
        ) from None
    return detector.eval()


class TinyFinder:
    """A trained :class:`TinyDetector` by the contract of detectors."""

    def __init__(self, detector: TinyDetector, device: str) -> None:
        self.detector, self.device = detector.to(device).eval(), device
        self.framing = WholeImage(detector.size)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Shown]) -> list[Found]:
        """The highest points of each image."""
        matrices = [self._matrix(image) for image in images]
        inputs = [
            planes(show(image.path, matrix, self.framing.size))
            for image, matrix in zip(images, matrices, strict=True)
        ]
        shown = self.detector(torch.from_numpy(np.stack(inputs)).to(self.device))
        edges, scores = (part.double().cpu().numpy() for part in people_at(shown))
        corners = [
            geometry.apply(geometry.invert(matrix), e.reshape(-1, 2)).reshape(-1, 4)
            for matrix, e in zip(matrices, edges, strict=True)
        ]
        return [from_corners(c, s) for c, s in zip(corners, scores, strict=True)]

    def _matrix(self, image: Shown) -> Any:
        height, width = image.size
        return self.framing.matrix(self.framing.area(np.array([-0.5, -0.5, width, height])))


def from_file(*, table: Annotations, device: str, file: str) -> TinyFinder:
    """The detector that ``poselab detect train`` wrote; a folder stands for its detector.ckpt."""
    del table
    path = Path(file)
    return TinyFinder(load(path / "detector.ckpt" if path.is_dir() else path), device)
