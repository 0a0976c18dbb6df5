"""Every field of a comparability record: how severe a difference in it is, and how to describe it.

A field that no table here lists is reported as ``unequal``, in words made of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from poselab.evaluation.comparability import wording
from poselab.evaluation.comparability.wording import both_values

ComparabilityRecord = Mapping[str, Any]
Severity = Literal["incomparable", "unequal", "unknown", "neutral"]

RUN = "run"
"""The field that holds how the predictions were made."""

RUN_CONDITIONS = "boxes, flip test, scores, NMS and training data"
"""What is unknown of predictions without a run's record."""


class RecordField(NamedTuple):
    """What a difference in a field means, and how to describe it for two records.

    A difference in one of ``implied_by`` explains this one, which is then not reported. Values are
    compared by ``compared`` of them (None: as they are).
    """

    severity: Severity
    describe: Callable[[ComparabilityRecord, ComparabilityRecord], str]
    implied_by: tuple[str, ...] = ()
    compared: Callable[[Any], Any] | None = None

    def same(self, name: str, a: ComparabilityRecord, b: ComparabilityRecord) -> bool:
        """Whether two records agree in the field ``name``, or both lack it."""
        if name == "thresholds":  # missing ones are those that the metrics' names say
            return not wording.thresholds(a, b)
        if not (name in a and name in b):
            return name not in a and name not in b
        if self.compared is None:
            return bool(a[name] == b[name])
        return bool(self.compared(a[name]) == self.compared(b[name]))


def unlisted_field(name: str) -> RecordField:
    """How to report a field that no table lists."""
    words = name.replace("_", " ").replace("{", "").replace("}", "")
    return RecordField("unequal", both_values(words + ": {} vs. {}", name))


def _incomparable(template: str, field: str, *implied_by: str) -> RecordField:
    return RecordField("incomparable", both_values(template, field), implied_by)


METRIC_FIELDS: dict[str, RecordField] = {
    "metric": _incomparable("metric: {} vs. {}", "metric"),
    "annotations": RecordField("neutral", wording.annotation_files),
    "fingerprint": RecordField("incomparable", wording.annotation_files),
    "skeleton": _incomparable("skeleton: {} vs. {}", "skeleton"),
    "keypoints": _incomparable("{} vs. {} keypoints", "keypoints", "skeleton"),
    "images": _incomparable("{} vs. {} images", "images"),
    "image_set": RecordField("incomparable", wording.image_set, ("images",)),
    "instances": _incomparable("{} vs. {} scored instances", "instances", "images"),
    "engine": RecordField("neutral", both_values("engine: {} vs. {}", "engine")),
    "sigmas": RecordField("incomparable", wording.sigmas, ("skeleton", "match", "metric")),
    "sigmas_from": RecordField("neutral", wording.sigmas),
    "area": _incomparable("area of instances: {} vs. {}", "area", "match", "metric"),
    "boxes": _incomparable("annotated boxes: {} vs. {}", "boxes", "metric"),
    "detection_area": RecordField(
        "unequal",
        both_values("area of a pose, for APM and APL: from {} vs. from {}", "detection_area"),
        ("metric",),
    ),
    "max_detections": _incomparable(
        "detections per image: at most {} vs. {}", "max_detections", "metric"
    ),
    "rule": _incomparable("a keypoint is correct if {} vs. {}", "rule", "metric"),
    "auc": _incomparable("AUC: {} vs. {}", "auc", "metric"),
    "thresholds": RecordField("incomparable", wording.thresholds, ("metric",)),
    "unscored": _incomparable("joints left out: {} vs. {}", "unscored", "metric"),
    "interval": RecordField("neutral", both_values("intervals: {} vs. {}", "interval")),
    "crowd_index": _incomparable("crowd index: {} vs. {}", "crowd_index", "metric"),
    "crowd_edges": _incomparable("edges of crowd levels: {} vs. {}", "crowd_edges", "metric"),
    "match": _incomparable("poses matched to instances by {} vs. {}", "match", "metric"),
    "read_as": RecordField("neutral", both_values("predictions read as: {} vs. {}", "read_as")),
    # A result rather than a condition: instances without a prediction count as wrong.
    "instances_without_prediction": RecordField(
        "neutral",
        both_values("{} vs. {} instances without a prediction", "instances_without_prediction"),
    ),
}
"""Fields that evaluators record."""

RUN_FIELDS: dict[str, RecordField] = {
    "boxes": RecordField(
        "unequal",
        wording.boxes,
        compared=lambda boxes: [
            boxes.get(key) for key in ("kind", "clip", "fingerprint", "threshold")
        ],
    ),
    "flip_test": RecordField("unequal", wording.flip_test),
    "flip_shift": RecordField(
        "unequal",
        both_values("flip test shifts heatmaps by {} vs. {} cells", "flip_shift"),
        ("flip_test",),
    ),
    "pixels": RecordField("unequal", both_values("pixel convention: {} vs. {}", "pixels")),
    "input_size": RecordField("unequal", wording.input_size),
    "padding": RecordField(
        "unequal", both_values("boxes enlarged {} vs. {} times", "padding"), ("boxes",)
    ),
    "reduced_jpeg": RecordField(
        "unequal", both_values("JPEGs decoded at reduced size: {} vs. {}", "reduced_jpeg")
    ),
    "score": RecordField("unequal", both_values("score of a pose: {} vs. {}", "score")),
    # Records that name no area are of runs that took the given box's.
    "nms": RecordField("unequal", wording.nms, compared=lambda nms: nms and {"area": "box"} | nms),
    "training": RecordField(
        "unequal",
        wording.training,
        compared=lambda data: [data.get(key) for key in ("fingerprint", "image_set")],
    ),
    "overlap": RecordField("unequal", wording.overlap, compared=lambda data: data["images"]),
}
"""Fields that a run records about how its predictions were made."""
