"""Post-processing: what happens to poses once they are decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from poselab import geometry
from poselab.grouping.pose_nms import NMS_RULES, ScoredPoses
from poselab.structures import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Frame, Poses, Size

SCORE_RULES = ("product", "sum", "keypoints", "detected", "box")
NMS_AREAS = ("box", "crop")
_OKS_KINDS = ("oks", "soft_oks")


@dataclass(frozen=True)
class PostProcess:
    """Rescoring of poses, and non-maximum suppression (NMS) among those of one image.

    score_rule "product": the box's score times the mean score of the keypoints that score above
    ``keypoint_threshold`` (None: of all keypoints), as in SimpleBaseline's and HRNet's evaluation;
    "sum": the box's score, the mean and the highest of all keypoint scores added up, as in RLE's
    code and mmpose's evaluation of RLE; "keypoints": that mean of "product" alone; "detected": the
    same, where keypoints that grouping filled in count as zero, as in HigherHRNet's evaluation;
    "box": the box's score alone.

    nms_kind is a key of :data:`poselab.grouping.pose_nms.NMS_RULES`, nms its threshold (None: no
    pose is suppressed). nms_area is the area over which OKS is taken: that of the given "box", or
    of the "crop" around it, which has the shape of crop_size (height, width) and is crop_padding
    times as large. The code of SimpleBaseline, HRNet, DARK, UDP, SimCC, RLE, ViTPose and mmpose
    takes the crop's, and so suppresses slightly more poses.

    Raises:
        InputError: an unknown score rule, kind of NMS or area, or crops of unknown size.
    """

    score_rule: str = "product"
    keypoint_threshold: float | None = 0.2
    nms: float | None = 0.9
    nms_kind: str = "oks"
    nms_area: str = "box"
    crop_size: Size | None = None
    crop_padding: float = 1.25

    def __post_init__(self) -> None:
        if self.score_rule not in SCORE_RULES:
            raise InputError(f"expected a score_rule out of {SCORE_RULES}, got {self.score_rule!r}")
        if self.nms_kind not in NMS_RULES:
            raise InputError(f"expected an nms_kind out of {[*NMS_RULES]}, got {self.nms_kind!r}")
        if self.nms_area not in NMS_AREAS:
            raise InputError(f"expected an nms_area out of {NMS_AREAS}, got {self.nms_area!r}")
        if self.nms_area == "crop" and self.nms is not None and self.crop_size is None:
            raise InputError(
                "expected the size of crops for nms_area=crop, got none; set postprocess.crop_size"
            )

    def score(self, poses: Poses, frame: Frame[Tensor]) -> Tensor:
        """The scores (B, P) of poses in the inputs that ``frame`` describes."""
        if self.score_rule == "keypoints":
            return self._keypoint_mean(poses.scores)
        if self.score_rule == "detected":
            found = True if poses.detected is None else poses.detected
            return self._keypoint_mean(poses.scores * found)
        box = poses.box_scores
        if box is None:
            box = frame.box_score[:, None].expand(poses.scores.shape[:-1])
        if self.score_rule == "sum":
            return box + poses.scores.mean(dim=-1) + poses.scores.amax(dim=-1)
        return box if self.score_rule == "box" else self._keypoint_mean(poses.scores) * box

    def suppress(self, predictions: Predictions, oks_sigmas: tuple[float, ...]) -> Predictions:
        """The predictions that are left after NMS within each image, in their original order."""
        if self.nms is None or not len(predictions.scores):
            return predictions
        order = np.argsort(predictions.image_ids, kind="stable")
        _, starts = np.unique(predictions.image_ids[order], return_index=True)
        suppress, sigmas = NMS_RULES[self.nms_kind][1], np.array(oks_sigmas)
        rows_of_images, scores_of_images = [], []
        for image in np.split(order, starts[1:]):
            poses = predictions.take(image)
            boxes = poses.boxes if poses.boxes is not None else np.zeros((len(poses), 4))
            scored = ScoredPoses(poses.keypoints, poses.scores, boxes, self._areas(poses), sigmas)
            kept = suppress(scored, self.nms)
            rows_of_images.append(image[kept.rows])
            scores_of_images.append(kept.scores)
        rows, scores = np.concatenate(rows_of_images), np.concatenate(scores_of_images)
        original = np.argsort(rows, kind="stable")
        return replace(predictions.take(rows[original]), scores=scores[original])

    def _areas(self, poses: Predictions) -> Floats:
        """The areas (N,) in pixels² over which OKS is taken."""
        if self.nms_area == "box" or poses.boxes is None or self.crop_size is None:
            return poses.areas()
        height, width = self.crop_size
        crops = geometry.fit_aspect(poses.boxes, width / height, self.crop_padding)
        return np.asarray(crops[:, 2] * crops[:, 3])

    def comparability(self) -> dict[str, Any]:
        """``score`` in words and ``nms``, its kind, threshold and, for OKS, ``area``, for the
        comparability record."""
        nms: dict[str, Any] | None = None
        if self.nms is not None:
            nms = {"kind": NMS_RULES[self.nms_kind][0], "threshold": float(self.nms)}
            if self.nms_kind in _OKS_KINDS:
                nms["area"] = self.nms_area
        return {"score": self._score_in_words(), "nms": nms}

    def _score_in_words(self) -> str:
        # A subclass with a rule of its own must not pass for comparable.
        if type(self).score is not PostProcess.score:
            return f"by {type(self).__name__}"
        mean = "mean of all keypoint scores"
        if self.keypoint_threshold is not None:
            mean = f"mean of keypoint scores above {self.keypoint_threshold:g}"
        return {
            "box": "box score",
            "keypoints": mean,
            "detected": f"{mean} before missing ones are filled in",
            "product": f"box score · {mean}",
            "sum": "box score + mean of all keypoint scores + highest keypoint score",
        }[self.score_rule]

    def _keypoint_mean(self, scores: Tensor) -> Tensor:
        """Mean (B, P) over the keypoints (B, P, K) that count; zero where none does."""
        if self.keypoint_threshold is None:
            return scores.mean(dim=-1)
        confident = scores > self.keypoint_threshold
        total = torch.where(confident, scores, 0).sum(dim=-1)
        return total / confident.sum(dim=-1).clamp(min=1)
