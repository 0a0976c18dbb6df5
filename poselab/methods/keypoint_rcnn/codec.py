"""Boxes and keypoints in torchvision's pixels, whose integers lie at corners."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from poselab import geometry
from poselab.codecs.base import CodecDefaults
from poselab.outputs import DetectedInstances, InstanceTarget
from poselab.structures import InputError, Poses

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.structures import Size, Skeleton

LABELS = ("centre", "corner")
_HALF = 0.5  # from a pixel's corner, where torchvision measures from, to its centre


class RegionCodec(CodecDefaults):
    """Converts between pixels with integers at centres and torchvision's, with integers at corners.

    There is no flip test: instances detected in a flipped image do not correspond to those of the
    image and cannot be averaged. labels: "corner" where annotations are measured from the corners
    of an image's pixels instead of their centres, as in torchvision's training and evaluation;
    :class:`poselab.methods.keypoint_rcnn.module.KeypointRcnn` applies the shift, because it depends
    on the scale of the image.

    Raises:
        InputError: unknown ``labels``.
    """

    multi_person: ClassVar[bool] = True

    def __init__(
        self, *, skeleton: Skeleton, input_size: Size, stride: int, labels: str = "centre"
    ) -> None:
        del stride  # the resolution depends on the size of a box, not on a stride
        if labels not in LABELS:
            raise InputError(f"expected method.codec.labels out of {LABELS}, got {labels!r}")
        self.labels = labels
        self.skeleton, self.input_size = skeleton, input_size
        self.channels = len(skeleton)
        self.head_sizes = {"input_size": input_size}
        self.resolution = 0.0

    def encode(
        self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor, boxes: Tensor | None = None
    ) -> InstanceTarget:
        """The instances to detect; those with less than a pixel of their box inside are not valid.

        keypoints (B, P, K, 2) and boxes (B, P, 4) x y w h in input pixels (None: the tightest boxes
        around labelled keypoints), visibility (B, P, K).
        """
        del loss_mask  # torchvision's losses cannot leave out a part of an image
        boxes = _boxes_around(keypoints, visibility > 0) if boxes is None else boxes
        height, width = self.input_size
        limit = boxes.new_tensor([width, height])
        low = (boxes[..., :2] + _HALF).clamp(min=0).minimum(limit)
        high = (boxes[..., :2] + boxes[..., 2:] + _HALF).clamp(min=0).minimum(limit)
        labelled = visibility > 0
        return InstanceTarget(
            keypoints=keypoints.where(labelled[..., None], 0.0) + _HALF,
            labelled=labelled,
            boxes=torch.cat([low, high], dim=-1),
            valid=((high - low) >= 1).all(-1),
        )

    def decode(self, output: DetectedInstances) -> Poses:
        """Every detected person, with the score of their box."""
        return Poses(
            output.keypoints - _HALF, output.confidences, output.valid, box_scores=output.scores
        )

    def unflip(self, output: DetectedInstances) -> DetectedInstances:
        """The instances of an input, computed from those of its horizontal flip."""
        width = self.input_size[1]
        names = list(self.skeleton.flip_index)
        flip = output.keypoints.new_tensor(geometry.flip(width + 1))
        left, top, right, bottom = output.boxes.unbind(-1)
        return output._replace(
            keypoints=geometry.apply(flip, output.keypoints)[:, :, names],
            confidences=output.confidences[:, :, names],
            boxes=torch.stack([width - right, top, width - left, bottom], dim=-1),
        )

    def merge(self, first: DetectedInstances, second: DetectedInstances) -> DetectedInstances:
        """Always an error.

        Raises:
            ValueError: Keypoint R-CNN has no flip test.
        """
        raise ValueError("expected one output of Keypoint R-CNN, got two; it has no flip test")


def _boxes_around(keypoints: Tensor, labelled: Tensor) -> Tensor:
    """The tightest boxes (B, P, 4) x y w h; of zero size where nothing is labelled."""
    mask = labelled[..., None]
    low = keypoints.masked_fill(~mask, torch.inf).amin(-2)
    high = keypoints.masked_fill(~mask, -torch.inf).amax(-2)
    any_labelled = labelled.any(-1, keepdim=True)
    return torch.cat([low, high - low], dim=-1).where(any_labelled, 0.0)
