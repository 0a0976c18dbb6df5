"""Coordinates that the network outputs: direct regression, integral regression, RLE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from poselab.codecs.base import CodecDefaults
from poselab.codecs.grid import flip_indices, inside_input, single_person, single_pose
from poselab.outputs import Coordinates, CoordinateTarget

if TYPE_CHECKING:
    from poselab.structures import Poses, Size, Skeleton


class CoordinateCodec(CodecDefaults):
    """Normalised, centred coordinates of one person: u = (x + 0.5)/W - 0.5.

    learn_outside: whether labelled keypoints outside the input have a weight, too, as in the code
    of RLE and of integral regression; those of mmpose, DSNT and Luvizon et al. leave them out.
    ``stride`` is accepted for the signature that codecs share and not used; ``loss_mask`` is
    ignored, as a labelled position is known whatever surrounds it.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        input_size: Size,
        stride: int = 1,
        learn_outside: bool = True,
    ) -> None:
        self.skeleton = skeleton
        self.input_size = input_size
        self.learn_outside = learn_outside
        self.channels = len(skeleton)
        self.resolution = 1e-5 * max(input_size)  # float32

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> CoordinateTarget:
        """See :class:`poselab.codecs.base.Codec`."""
        points, weight = self._points(keypoints, visibility)
        height, width = self.input_size
        # An input covers [-0.5, W - 0.5]; measured from its middle, a flip only negates u.
        u = (points[..., 0] + 0.5) / width - 0.5
        v = (points[..., 1] + 0.5) / height - 0.5
        return CoordinateTarget(xy=torch.stack([u, v], dim=-1), weight=weight)

    def _points(self, keypoints: Tensor, visibility: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (B, K, 2) in input pixels and their weight (B, K)."""
        points, labelled = single_person(keypoints, visibility)
        if not self.learn_outside:
            labelled = labelled & inside_input(points, self.input_size)
        return points, labelled.float()

    def decode(self, output: Coordinates) -> Poses:
        """Poses whose scores are the output's confidence."""
        height, width = self.input_size
        u, v = output.xy.float().unbind(-1)
        points = torch.stack([(u + 0.5) * width - 0.5, (v + 0.5) * height - 0.5], dim=-1)
        return single_pose(points, output.confidence.float())

    def unflip(self, output: Coordinates) -> Coordinates:
        """Negate u and swap left and right."""
        index = flip_indices(self.skeleton, output.xy.device)
        u, v = output.xy[:, index].unbind(-1)
        return Coordinates(torch.stack([-u, v], dim=-1), output.confidence[:, index])

    def merge(self, first: Coordinates, second: Coordinates) -> Coordinates:
        """The mean."""
        return Coordinates((first.xy + second.xy) / 2, (first.confidence + second.confidence) / 2)


class HrnetCoordinateCodec(CoordinateCodec):
    """Coordinates u = x/W - 0.5 as in the published weights of RLE and mmpose; u flips to -u - 1/W.

    Source: Jeff-sjtu/res-loglikelihood-regression, rlepose/utils/transforms.py;
    open-mmlab/mmpose, mmpose/models/utils/tta.py.
    """

    def encode(self, keypoints: Tensor, visibility: Tensor, loss_mask: Tensor) -> CoordinateTarget:
        """See :class:`poselab.codecs.base.Codec`."""
        points, weight = self._points(keypoints, visibility)
        lengths = points.new_tensor(self.input_size[::-1])
        return CoordinateTarget(xy=points / lengths - 0.5, weight=weight)

    def decode(self, output: Coordinates) -> Poses:
        """Poses whose scores are the output's confidence."""
        poses = super().decode(output)
        # The base subtracts the half pixel that this convention does not have.
        return poses._replace(keypoints=poses.keypoints + 0.5)

    def unflip(self, output: Coordinates) -> Coordinates:
        """Flip u and swap left and right."""
        flipped = super().unflip(output)
        # A flip moves pixel x to W - 1 - x, one pixel less than negating u about W / 2.
        step = flipped.xy.new_tensor([1 / self.input_size[1], 0.0])
        return flipped._replace(xy=flipped.xy - step)
