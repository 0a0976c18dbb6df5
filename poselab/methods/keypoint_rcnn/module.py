"""People and their keypoints in one go, each in a region of the image's features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import nn

from poselab import geometry
from poselab.methods.keypoint_rcnn.codec import RegionCodec
from poselab.methods.keypoint_rcnn.loss import RegionLoss
from poselab.methods.keypoint_rcnn.network import PyramidNeck, RegionHead
from poselab.modules.pose_module import PoseModule, Triple
from poselab.structures import InputError
from poselab.training.schedules import constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.optim import Optimizer

    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Frame, Sample
    from poselab.training.schedules import Schedule


class KeypointRcnn(PoseModule):
    """Keypoint R-CNN (He et al. 2017, section 5), of torchvision's parts.

    A pose scores what its box scores. The net's output are the maps that regions are cut out of;
    regions are computed in float32, because half precision would round their corners. Around the
    image an input is grey, which is zero to the network, as torchvision pads.

    ``frozen`` keeps the statistics of batch normalisation as they are, for batches of few images.

    Raises:
        InputError: a flip test is wanted.
        ValueError: the network has another head than :class:`RegionHead`.
    """

    accepts: ClassVar[tuple[type, ...]] = (RegionCodec,)
    instances: ClassVar[str] = "many"
    scored_by: ClassVar[str] = "box score"
    codec: RegionCodec
    default: ClassVar[Triple] = Triple(
        neck=PyramidNeck, head=RegionHead, codec=RegionCodec, loss=RegionLoss
    )

    def __init__(
        self,
        net: nn.Module,
        codec: RegionCodec,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Schedule = constant,
        flip_test: bool = False,
        frozen: bool = False,
    ) -> None:
        if flip_test:
            raise InputError(
                "expected flip_test=false for Keypoint R-CNN, which finds other regions in a "
                "flipped image that no mean could join, got true; add flip_test=false"
            )
        if not isinstance(net.head, RegionHead):
            raise ValueError(f"expected RegionHead, got {type(net.head).__name__}")
        super().__init__(net, codec, loss, optimizer, schedule, flip_test)
        self.frozen = frozen
        self.train()

    @property
    def regions(self) -> RegionHead:
        """The network's head."""
        head = self.net.head
        assert isinstance(head, RegionHead)
        return head

    def train(self, mode: bool = True) -> Self:
        """As in torch, but for statistics that are to stay."""
        super().train(mode)
        for part in self.modules() if self.frozen else ():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
        return self

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        return super().training_step(self.padded(batch), batch_idx)

    def validation_step(  # type: ignore[override]  # as in PoseModule
        self, batch: Sample, batch_idx: int
    ) -> Predictions:
        """Log the loss of a batch, return who was found in it."""
        return super().validation_step(self.padded(batch), batch_idx)

    def predict_step(self, batch: Sample, batch_idx: int) -> Predictions:
        """Who was found in a batch."""
        return super().predict_step(self.padded(batch), batch_idx)

    def padded(self, batch: Sample) -> Sample:
        """The same with the mean of images wherever an input (B, 3, H, W) shows nothing."""
        height, width = batch.image.shape[-2:]
        axes = (torch.arange(n, device=self.device) for n in (width, height))
        pixels = torch.stack(torch.meshgrid(*axes, indexing="xy"), dim=-1)
        where = geometry.apply(batch.frame.to_image[:, None], pixels.float())
        corner, size = batch.frame.box[:, None, None].split(2, dim=-1)
        inside = ((where >= corner) & (where <= corner + size)).all(-1)
        grey = self.mean.round().to(batch.image.dtype)
        return batch._replace(image=torch.where(inside[:, None], batch.image, grey))

    def flip_tested(self, output: Any, image: Tensor) -> Any:
        """Who is found in the maps of an image."""
        with torch.autocast(self.device.type, enabled=False):
            return self.regions.instances(output)

    def losses(self, output: Any, batch: Sample) -> dict[str, Tensor]:
        """The parts of the loss of maps for a labelled batch."""
        with torch.autocast(self.device.type, enabled=False):
            shift = self._shift(batch.frame)[:, None]
            boxes = torch.cat([batch.boxes[..., :2] - shift, batch.boxes[..., 2:]], dim=-1)
            points = batch.keypoints - shift[:, None]
            target = self.codec.encode(points, batch.visibility, batch.loss_mask, boxes)
            parts: dict[str, Tensor] = self.loss(self.regions.losses(output, target))
        return parts

    def found(self, output: Any, frame: Frame) -> Predictions:
        """Poses in image pixels with the scores of their boxes, on the CPU."""
        if self.codec.labels == "corner":
            half = frame.to_image.new_tensor([[0, 0, 0.5], [0, 0, 0.5]])
            frame = frame._replace(to_image=frame.to_image + half)
        found = super().found(output, frame)
        return replace(found, scores=output.scores[output.valid].double().cpu().numpy())

    def _shift(self, frame: Frame) -> Tensor:
        """Input pixels (B, 2) from where the labels say to half an image's pixel before it."""
        linear = torch.linalg.inv(frame.to_image[..., :2])
        shift: Tensor = linear.sum(-1) * (0.5 if self.codec.labels == "corner" else 0.0)
        return shift
