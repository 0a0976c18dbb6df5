"""Top-down: people from boxes, then one person at a time by any single-person method."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from poselab.grouping.pose_nms import NMS_RULES, KeptPoses, ScoredPoses
from poselab.modules.pose_module import PoseModule

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Frame, Poses

SCORE_RULES = ("product", "keypoints", "box")


class TopDown(PoseModule):
    """A single-person method on people's boxes, rescored and rid of repeated poses per image.

    A pose scores its box's score times the mean over keypoints that score above ``keypoint_threshold`` (None:
    over all), as in SimpleBaseline's and HRNet's evaluation; ``score_rule`` "keypoints" takes the
    mean alone, "box" the box's score alone. Of repeated poses the worse fall, by ``nms_kind``
    (:mod:`poselab.grouping.pose_nms`) with the limit ``nms`` (None: none falls). OKS is taken on
    the area of the box as it was given; theirs is of the padded box, so they drop a little more.

    Raises:
        ValueError: a method for many people, an unknown rule, or an unknown kind of NMS.
    """

    def __init__(
        self,
        estimator: PoseModule,
        keypoint_threshold: float | None = 0.2,
        nms: float | None = 0.9,
        score_rule: str = "product",
        nms_kind: str = "oks",
    ) -> None:
        if estimator.instances != "one":
            raise ValueError(f"expected a single-person method, got {type(estimator).__name__}")
        if score_rule not in SCORE_RULES:
            raise ValueError(f"expected a score_rule out of {SCORE_RULES}, got {score_rule!r}")
        if nms_kind not in NMS_RULES:
            raise ValueError(f"expected an nms_kind out of {[*NMS_RULES]}, got {nms_kind!r}")
        super().__init__(
            *(estimator.net, estimator.codec, estimator.loss),
            *(estimator.optimizer, estimator.schedule, estimator.flip_test),
        )
        self.keypoint_threshold, self.nms = keypoint_threshold, nms
        self.score_rule, self.nms_kind = score_rule, nms_kind

    def score(self, poses: Poses, frame: Frame) -> Tensor:
        """The scores (B, P) of poses by the rule."""
        box: Tensor = frame.box_score[:, None].expand(poses.scores.shape[:-1])
        if self.score_rule == "box":
            return box
        scores = self._keypoint_mean(poses.scores)
        return scores if self.score_rule == "keypoints" else scores * box

    def _keypoint_mean(self, scores: Tensor) -> Tensor:
        """Mean (B, P) over the keypoints (B, P, K) that count; zero where none does."""
        if self.keypoint_threshold is None:
            mean: Tensor = scores.mean(dim=-1)
            return mean
        confident = scores > self.keypoint_threshold
        total = torch.where(confident, scores, 0).sum(dim=-1)
        return total / confident.sum(dim=-1).clamp(min=1)

    def suppress(self, predictions: Predictions) -> Predictions:
        """NMS within each image."""
        if self.nms is None or not len(predictions.scores):
            return predictions
        order = np.argsort(predictions.image_ids, kind="stable")
        _, starts = np.unique(predictions.image_ids[order], return_index=True)
        groups = np.split(order, starts[1:])
        survivors = [self._survivors(predictions.take(rows), self.nms) for rows in groups]
        kept = np.concatenate([r[s.rows] for r, s in zip(groups, survivors, strict=True)])
        scores = np.concatenate([s.scores for s in survivors])
        in_order = np.argsort(kept, kind="stable")
        return replace(predictions.take(kept[in_order]), scores=scores[in_order])

    def _survivors(self, poses: Predictions, limit: float) -> KeptPoses:
        """Who stays of one image's poses."""
        boxes = poses.boxes if poses.boxes is not None else np.zeros((len(poses), 4))
        oks_sigmas = np.array(self.codec.skeleton.oks_sigmas)
        rivals = ScoredPoses(poses.keypoints, poses.scores, boxes, poses.areas(), oks_sigmas)
        return NMS_RULES[self.nms_kind][1](rivals, limit)
