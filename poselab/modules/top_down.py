"""Top-down: people from boxes, then one person at a time by any single-person method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from poselab.grouping.oks_nms import oks_nms
from poselab.modules.pose_module import PoseModule

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Frame, Poses


class TopDown(PoseModule):
    """A single-person method on people's boxes, rescored and rid of repeated poses per picture.

    A pose scores its box's score times the mean over keypoints that score above ``visible``, and
    falls to a better one of the same picture with OKS above ``nms`` (None: none falls), as in
    SimpleBaseline's and HRNet's evaluation. OKS is taken on the area of the box as it was given;
    theirs is of the padded box, so they drop a little more.
    """

    def __init__(
        self, estimator: PoseModule, visible: float = 0.2, nms: float | None = 0.9
    ) -> None:
        if estimator.people != "one":
            raise ValueError(f"expected a single-person method, got {type(estimator).__name__}")
        super().__init__(
            *(estimator.net, estimator.codec, estimator.loss),
            *(estimator.optimizer, estimator.schedule, estimator.flip_test),
        )
        self.visible, self.nms = visible, nms

    def score(self, poses: Poses, frame: Frame) -> Tensor:
        """Box score times the mean of confident keypoints (B, P)."""
        confident = poses.scores > self.visible
        total = torch.where(confident, poses.scores, 0).sum(dim=-1)
        scores: Tensor = total / confident.sum(dim=-1).clamp(min=1) * frame.box_score[:, None]
        return scores

    def suppress(self, predictions: Predictions) -> Predictions:
        """OKS-NMS within each picture."""
        if self.nms is None or not len(predictions.scores):
            return predictions
        areas, falloffs = predictions.areas(), np.array(self.codec.skeleton.falloffs)
        order = np.argsort(predictions.image_ids, kind="stable")
        _, starts = np.unique(predictions.image_ids[order], return_index=True)
        kept = [
            rows[oks_nms(p.keypoints, p.scores, areas[rows], falloffs, self.nms)]
            for rows in np.split(order, starts[1:])
            for p in [predictions.take(rows)]
        ]
        return predictions.take(np.sort(np.concatenate(kept)))
