"""Region proposals, and the boxes and keypoints in them: torchvision's parts of Keypoint R-CNN.

Source: Mask R-CNN, He et al. 2017, section 5; feature pyramids, Lin et al. 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.keypoint_rcnn import (
    KeypointRCNN,
    KeypointRCNNHeads,
    KeypointRCNNPredictor,
)
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from poselab.models.feature_info import FeatureInfo
from poselab.outputs import DetectedInstances, InstanceTarget
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from poselab.structures import Size

_BOX_CELLS, _KEYPOINT_CELLS = 7, 14
_ANCHOR = 8  # width of an anchor in cells of its map: 32 pixels at stride 4, 512 at stride 64
_NEAR = 5  # the probabilities of 5x5 cells around a keypoint, of the 56x56 of a box, are summed


class PyramidNeck(nn.Module):
    """A feature pyramid network: all features in ``channels`` channels, coarse ones added to fine
    ones, and the coarsest again at half its resolution."""

    def __init__(self, *, feature_info: Sequence[FeatureInfo], channels: int = 256) -> None:
        super().__init__()
        self.pyramid = FeaturePyramidNetwork(
            [feature.channels for feature in feature_info], channels, LastLevelMaxPool()
        )
        reductions = [feature.reduction for feature in feature_info]
        self.feature_info = tuple(
            FeatureInfo(channels, n) for n in (*reductions, 2 * reductions[-1])
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return list(self.pyramid(_named(features)).values())


class RegionHead(nn.Module):
    """Propose regions, classify which of them show a person, and locate their keypoints.

    ``forward`` returns the feature maps: detection (:meth:`detections`) and training
    (:meth:`losses`) take different paths from there. keypoint_widths and box_width are those of the
    layers; ``samples`` regions of an image are trained on; at most ``max_detections`` people are
    detected in one.

    Raises:
        InputError: the input's sides are not multiples of the backbone's coarsest stride.
    """

    def __init__(
        self,
        *,
        feature_info: Sequence[FeatureInfo],
        channels: int,
        input_size: Size,
        keypoint_widths: Sequence[int] = (512,) * 8,
        box_width: int = 1024,
        samples: int = 512,
        max_detections: int = 100,
    ) -> None:
        super().__init__()
        coarsest = feature_info[-2].reduction
        if any(side % coarsest for side in input_size):
            raise InputError(
                f"expected framing.size in multiples of {coarsest}, the backbone's coarsest "
                f"stride, got {tuple(input_size)}; choose another size"
            )
        self.size = (int(input_size[0]), int(input_size[1]))
        width = feature_info[0].channels
        names = [str(n) for n in range(len(feature_info) - 1)]
        anchors = tuple((_ANCHOR * feature.reduction,) for feature in feature_info)
        net = KeypointRCNN(
            _BackboneWidth(width),
            rpn_anchor_generator=AnchorGenerator(anchors, ((0.5, 1.0, 2.0),) * len(anchors)),
            box_roi_pool=MultiScaleRoIAlign(names, _BOX_CELLS, sampling_ratio=2),
            box_head=TwoMLPHead(width * _BOX_CELLS**2, box_width),
            box_predictor=FastRCNNPredictor(box_width, 2),
            box_batch_size_per_image=samples,
            box_detections_per_img=max_detections,
            keypoint_roi_pool=MultiScaleRoIAlign(names, _KEYPOINT_CELLS, sampling_ratio=2),
            keypoint_head=KeypointRCNNHeads(width, tuple(keypoint_widths)),
            keypoint_predictor=_Predictor(keypoint_widths[-1], channels),
        )
        self.rpn: Any = net.rpn
        self.roi_heads: Any = net.roi_heads

    def forward(self, features: list[Tensor]) -> tuple[Tensor, ...]:
        if features[0].is_meta:
            self._run_on_shapes(features)
        return tuple(features)

    def losses(self, features: Sequence[Tensor], instances: InstanceTarget) -> dict[str, Tensor]:
        """The five parts of the loss as torchvision computes them, by its names."""
        targets = []
        for keypoints, labelled, boxes, valid in zip(*instances, strict=True):
            points = torch.cat([keypoints, labelled[..., None].to(keypoints.dtype)], dim=-1)
            ones = valid[valid].long()  # people are class 1, the background is 0
            targets.append({"keypoints": points[valid], "boxes": boxes[valid], "labels": ones})
        was_training, named = self.training, _named(features)
        self.train()  # its only effect here is that torchvision computes losses
        try:
            proposals, parts = self.rpn(self._images(features), named, targets)
            sizes = [self.size] * len(proposals)
            _, region_parts = self.roi_heads(named, proposals, sizes, targets)
        finally:
            self.train(was_training)
        return {**parts, **region_parts}

    def detections(self, features: Sequence[Tensor]) -> DetectedInstances:
        """The people in the images, after torchvision's NMS of boxes."""
        named, heads = _named(features), self.roi_heads
        proposals, _ = self.rpn(self._images(features), named)
        sizes = [self.size] * len(proposals)
        pooled = heads.box_head(heads.box_roi_pool(named, proposals, sizes))
        boxes, scores, _ = heads.postprocess_detections(
            *heads.box_predictor(pooled), proposals, sizes
        )
        regions = heads.keypoint_roi_pool(named, boxes, sizes)
        logits = heads.keypoint_predictor(heads.keypoint_head(regions))
        keypoints, _ = heatmaps_to_keypoints(logits, torch.cat(boxes))
        counts = [len(one) for one in boxes]
        confidences = _confidences(logits, keypoints[..., :2], torch.cat(boxes))
        return _padded(keypoints[..., :2], confidences, torch.cat(boxes), torch.cat(scores), counts)

    def _images(self, features: Sequence[Tensor]) -> ImageList:
        """The number and size of the images, which is all that torchvision reads of them."""
        count = len(features[0])
        return ImageList(features[0].new_empty((count, 0, *self.size)), [self.size] * count)

    def _run_on_shapes(self, features: Sequence[Tensor]) -> None:
        """Run every layer once on meta tensors, with all proposals and one person per image, so
        that the cost of the network is counted."""
        heads, width = self.roi_heads, features[0].shape[1]
        self.rpn.head(list(features))
        proposals = self.rpn.post_nms_top_n() * len(features[0])
        boxes = features[0].new_empty((proposals, width, _BOX_CELLS, _BOX_CELLS))
        heads.box_predictor(heads.box_head(boxes))
        person = features[0].new_empty((len(features[0]), width, _KEYPOINT_CELLS, _KEYPOINT_CELLS))
        heads.keypoint_predictor(heads.keypoint_head(person))


class _Predictor(KeypointRCNNPredictor):  # type: ignore[misc]  # torchvision has no types
    """torchvision's predictor, contiguous also in channels-last format, as its loss requires."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = super().forward(x)
        return logits.contiguous()


class _BackboneWidth(nn.Module):
    """Stands in for a backbone, of which torchvision only reads the number of channels here."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels


def _named(features: Sequence[Tensor]) -> dict[str, Tensor]:
    return {str(n): one for n, one in enumerate(features)}


def _confidences(logits: Tensor, keypoints: Tensor, boxes: Tensor) -> Tensor:
    """The probability (N, K) of the cells around each keypoint, from its logits (N, K, h, w)."""
    cells = logits.shape[-1]
    probability = logits.flatten(-2).softmax(-1).view(logits.shape)
    near = nn.functional.avg_pool2d(probability, _NEAR, 1, _NEAR // 2) * _NEAR**2
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    place = (keypoints - boxes[:, None, :2]) / size[:, None] * cells
    column, row = place.long().clamp(0, cells - 1).unbind(-1)
    return near.flatten(-2).gather(-1, (row * cells + column)[..., None])[..., 0].clamp(max=1)


def _padded(
    keypoints: Tensor, confidences: Tensor, boxes: Tensor, scores: Tensor, counts: list[int]
) -> DetectedInstances:
    """The instances of all images, concatenated, as one padded row per image."""
    places = torch.arange(max(counts), device=boxes.device)
    valid = places < torch.tensor(counts, device=boxes.device)[:, None]

    def rows(values: Tensor) -> Tensor:
        made = values.new_zeros((*valid.shape, *values.shape[1:]))
        made[valid] = values
        return made

    return DetectedInstances(rows(keypoints), rows(confidences), rows(boxes), rows(scores), valid)
