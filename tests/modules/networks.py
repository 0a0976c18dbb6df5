"""A network whose output for an image is known beforehand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from poselab.codecs.heatmap import HeatmapCodec
from poselab.losses.heatmaps import HeatmapLoss
from poselab.modules import HeatmapRegression, PostProcess, TopDown
from poselab.skeletons import COCO17
from poselab.structures import Frame, Poses


class BlockMeans(nn.Module):
    """Heatmaps (B, 17, H/4, W/4): the mean of the first channel over each block, times k + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.arange(1.0, 18.0).view(17, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images[:, :1], 4) * self.gain


def heatmap_regression(flip_test: bool = True) -> HeatmapRegression:
    """Heatmap regression that reads the image's brightness as heatmaps."""
    return HeatmapRegression(BlockMeans(), codec(), HeatmapLoss(), flip_test=flip_test).eval()


def top_down(flip_test: bool = True, **settings: Any) -> TopDown:
    """The same on boxes, with these settings of its post-processing."""
    postprocess = PostProcess(**settings)
    parts = BlockMeans(), codec(), HeatmapLoss(), postprocess
    return TopDown(*parts, flip_test=flip_test).eval()


def codec() -> HeatmapCodec:
    """One cell every four pixels."""
    return HeatmapCodec(skeleton=COCO17, input_size=(32, 24), stride=4, sigma=1.0)


def frames(box_scores: list[float], image_ids: list[int] | None = None) -> Frame[Tensor]:
    """Frames that map input pixels to themselves."""
    count = len(box_scores)
    return Frame(
        to_image=torch.eye(2, 3).expand(count, 2, 3),
        image_id=torch.tensor(image_ids or list(range(count))),
        annotation_id=torch.arange(count),
        box=torch.tensor([[0.0, 0.0, 24.0, 32.0]]).expand(count, 4),
        box_score=torch.tensor(box_scores),
    )


def poses(scores: Tensor, keypoints: Tensor | None = None) -> Poses:
    """One pose an input, with these keypoint scores (B, K)."""
    count, joints = scores.shape
    where = torch.rand(count, joints, 2) * 20 if keypoints is None else keypoints
    return Poses(where[:, None], scores[:, None], torch.ones(count, 1, dtype=torch.bool))
