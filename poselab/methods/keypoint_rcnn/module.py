"""Keypoint R-CNN's training and prediction: people and keypoints, each in a region of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from poselab import geometry
from poselab.methods.keypoint_rcnn.codec import RegionCodec
from poselab.methods.keypoint_rcnn.network import RegionHead
from poselab.modules.pose_module import PoseModule
from poselab.modules.postprocess import PostProcess
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from poselab.evaluation.predictions import Predictions
    from poselab.modules.pose_module import Schedule
    from poselab.structures import Frame, Sample


class KeypointRcnn(PoseModule):
    """Keypoint R-CNN (He et al. 2017, section 5), built from torchvision's parts.

    It has its own module because its output, the feature maps that regions are cut out of, is
    neither decoded nor compared with a target before the head has processed the regions. That
    happens in float32, because half precision would round their corners. Input pixels outside the
    image have the mean colour, which is normalised to zero, as torchvision pads. By default a
    pose's score is that of its box.

    Raises:
        InputError: ``flip_test`` is true.
        ValueError: the network has another head than :class:`RegionHead`.
    """

    accepts: ClassVar[type] = RegionCodec
    multi_person: ClassVar[bool] = True
    default_postprocess: ClassVar[PostProcess] = PostProcess(score_rule="box", nms=None)
    codec: RegionCodec

    def __init__(
        self,
        net: nn.Module,
        codec: RegionCodec,
        loss: nn.Module,
        postprocess: PostProcess | None = None,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Schedule | None = None,
        flip_test: bool = False,
    ) -> None:
        if flip_test:
            raise InputError(
                "expected flip_test=false for Keypoint R-CNN, whose regions in a flipped image do "
                "not match those of the image, got true; add flip_test=false"
            )
        if not isinstance(net.head, RegionHead):
            raise ValueError(f"expected RegionHead, got {type(net.head).__name__}")
        super().__init__(net, codec, loss, postprocess, optimizer, schedule, flip_test)

    @property
    def regions(self) -> RegionHead:
        """The network's head."""
        head = self.net.head
        assert isinstance(head, RegionHead)
        return head

    def training_step(self, batch: Sample[Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch."""
        return super().training_step(self.padded(batch), batch_idx)

    def validation_step(  # type: ignore[override]  # as in PoseModule
        self, batch: Sample[Tensor], batch_idx: int
    ) -> Predictions:
        """Log the loss of a batch, return its predictions."""
        return super().validation_step(self.padded(batch), batch_idx)

    def predict_step(self, batch: Sample[Tensor], batch_idx: int) -> Predictions:
        """The predictions of a batch."""
        return super().predict_step(self.padded(batch), batch_idx)

    def padded(self, batch: Sample[Tensor]) -> Sample[Tensor]:
        """The batch with the mean colour where an input (B, 3, H, W) lies outside its image."""
        height, width = batch.image.shape[-2:]
        axes = (torch.arange(n, device=self.device) for n in (width, height))
        pixels = torch.stack(torch.meshgrid(*axes, indexing="xy"), dim=-1)
        where = geometry.apply(batch.frame.to_image[:, None], pixels.float())
        box = batch.frame.box[:, None, None]
        corner, size = box[..., :2], box[..., 2:]
        inside = ((where >= corner) & (where <= corner + size)).all(-1)
        mean = self.mean.round().to(batch.image.dtype)
        return batch._replace(image=torch.where(inside[:, None], batch.image, mean))

    def target(self, batch: Sample[Tensor]) -> Any:
        """Boxes and keypoints in the units of the network."""
        assert batch.boxes is not None
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            # Half an image pixel, in input pixels, where labels are measured from corners.
            half = 0.5 if self.codec.labels == "corner" else 0.0
            to_input = torch.linalg.inv(batch.frame.to_image[..., :2])
            shift = (to_input.sum(-1) * half)[:, None]
            boxes = torch.cat([batch.boxes[..., :2] - shift, batch.boxes[..., 2:]], dim=-1)
            keypoints = batch.keypoints - shift[:, None]
            return self.codec.encode(keypoints, batch.visibility, batch.loss_mask, boxes)

    def losses(self, output: Any, target: Any) -> dict[str, Tensor]:
        """The parts of the loss of feature maps, by name."""
        with torch.autocast(self.device.type, enabled=False):
            parts: dict[str, Tensor] = self.loss(self.regions.losses(output, target))
        return parts

    def flip_tested(self, output: Any, image: Tensor) -> Any:
        """The instances detected in the feature maps of an image; there is no flip test."""
        with torch.autocast(self.device.type, enabled=False):
            return self.regions.detections(output)

    def predictions(self, output: Any, frame: Frame[Tensor]) -> Predictions:
        """Poses in image pixels with the scores of their boxes, on the CPU."""
        if self.codec.labels == "corner":
            half = frame.to_image.new_tensor([[0, 0, 0.5], [0, 0, 0.5]])
            frame = frame._replace(to_image=frame.to_image + half)
        return super().predictions(output, frame)
