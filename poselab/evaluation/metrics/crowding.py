"""How crowded people and images are, and CrowdPose's AP of easy, medium and hard images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from poselab.annotations.source_file import read_source
from poselab.evaluation.accumulator import JointAccumulator
from poselab.evaluation.evaluator import Evaluator
from poselab.evaluation.images import image_rows
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.geometry import iou

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.annotations.table import Annotations
    from poselab.evaluation.images import ImageIds
    from poselab.evaluation.metrics.average_precision import OksAccumulator
    from poselab.evaluation.predictions import Predictions
    from poselab.structures import Floats, Ints

LEVELS = ("easy", "medium", "hard")
EDGES = (0.2, 0.8)  # of CrowdPose's code; the paper says 0.1 and 0.8
FEWEST_JOINTS = 4


def overlaps(annotations: Annotations) -> Floats:
    """The greatest IoU (M,) of each person's box with the box of another of the image, else 0.

    Crowds are no people here, and people without labelled keypoints are.
    """
    greatest = np.zeros(annotations.num_instances)
    for image in np.flatnonzero(np.diff(annotations.first_person) > 1).tolist():
        instances = np.array(annotations.rows(image))
        instances = instances[~annotations.crowd[instances]]
        if len(instances) > 1:
            overlap = iou(annotations.boxes[instances], annotations.boxes[instances])
            np.fill_diagonal(overlap, 0.0)
            greatest[instances] = overlap.max(axis=1)
    return greatest


def crowd_index(annotations: Annotations) -> Floats:
    """The crowd index (N,) of every image, from 0 up (Li et al., "CrowdPose", CVPR 2019).

    The mean over people of: labelled joints of others in the person's box, over labelled joints of
    the person's own. Only people whose ``num_keypoints`` is 4 or more are averaged, which the paper
    does not say, but which gives the recorded index of all 2,000 images of CrowdPose's validation
    file to its two digits.
    """
    index = np.zeros(len(annotations))
    averaged = annotations.labelled() >= FEWEST_JOINTS
    for image in range(len(annotations)):
        instances = np.array(annotations.rows(image), dtype=np.int64)
        inside = _joints_inside(annotations, instances)
        own = np.count_nonzero(annotations.visibility[instances], axis=1)
        mean = averaged[instances] & (own > 0)
        if mean.any():
            others = inside.sum(axis=1) - inside.diagonal()
            index[image] = np.mean(others[mean] / own[mean])
    return index


def _joints_inside(annotations: Annotations, instances: Ints) -> Ints:
    """How many labelled joints of each person (columns) lie in each person's box (rows): (G, G)."""
    boxes = annotations.boxes[instances][:, None, None]
    points = annotations.keypoints[instances][None]
    inside = ((points >= boxes[..., :2]) & (points <= boxes[..., :2] + boxes[..., 2:])).all(axis=-1)
    return np.asarray((inside & (annotations.visibility[instances] > 0)).sum(axis=-1))


def recorded_crowd_index(annotations: Annotations) -> Floats | None:
    """The ``crowdIndex`` (N,) of the annotation file's images; None where it is not recorded."""
    path = Path(annotations.source)
    if annotations.layout != "coco" or not path.is_file():
        return None
    content = read_source(path).json()
    recorded = {image["id"]: image.get("crowdIndex") for image in content["images"]}
    values = [recorded.get(image_id) for image_id in annotations.image_ids.tolist()]
    if any(value is None for value in values):
        return None
    return np.array(values, dtype=float)


@dataclass(frozen=True)
class CrowdPoseEvaluator(Evaluator):
    """COCO's metrics, and AP of easy, medium and hard images as CrowdPose's evaluation splits them.

    ``edges``: easy is a crowd index below the first, hard one not below the second. That code, and
    xtcocotools after it, split at 0.2 and 0.8, though the paper says 0.1 and 0.8.
    The index is the one that the annotation file records, else :func:`crowd_index` to two digits,
    as CrowdPose records it. The code also rounds each AP to four digits; nothing is rounded here.
    """

    primary_metric: ClassVar[str] = "AP"
    ranks_by_oks: ClassVar[bool] = True
    oks: OksEvaluator = field(default_factory=OksEvaluator)
    edges: tuple[float, float] = EDGES

    def accumulate(
        self, predictions: Predictions, annotations: Annotations, image_ids: ImageIds = None
    ) -> JointAccumulator:
        """See :class:`poselab.evaluation.evaluator.Evaluator`."""
        oks = self.oks.accumulate(predictions, annotations, image_ids)
        index, rule = recorded_crowd_index(annotations), "recorded"
        if index is None:
            index, rule = np.round(crowd_index(annotations), 2), "computed from the labels"
        level = np.digitize(index, self.edges)[image_rows(annotations, oks.image_ids)]
        how = {"metric": "oks by crowd index", "crowd_index": rule, "crowd_edges": list(self.edges)}
        return JointAccumulator([oks, CrowdAccumulator(oks, level, {**oks.comparability, **how})])


@dataclass(frozen=True)
class CrowdAccumulator:
    """AP of the images of each level (N,) as a function of how often each image counts."""

    oks: OksAccumulator
    level: Ints
    comparability: Mapping[str, Any]
    keys: ClassVar[tuple[str, ...]] = tuple(f"AP/{name}" for name in LEVELS)

    @property
    def image_ids(self) -> Ints:
        """(N,) the images in the order of the weights."""
        return self.oks.image_ids

    def values(self, weights: Ints) -> Floats:
        """The values (R, 3) of R sets in which image n counts weights[r, n] times."""
        place = self.oks.keys.index("AP")
        levels = [np.where(self.level == n, weights, 0) for n in range(len(LEVELS))]
        return np.stack([self.oks.values(part)[:, place] for part in levels], axis=1)
