"""What a run's predictions depend on: its part of the comparability record."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.datasets.leaks.shared_images import count_shared_images, image_files
from poselab.evaluation.metrics.person_boxes import person_average_precision
from poselab.evaluation.record import image_set
from poselab.io.files import read_bytes

if TYPE_CHECKING:
    from poselab.data import PoseData
    from poselab.data.dataset import PoseDataset
    from poselab.datasets.base import Split
    from poselab.modules import PoseModule


def run_comparability(data: PoseData, module: PoseModule) -> dict[str, Any]:
    """What a run's metric values depend on besides the ground truth: plain values only.

    The fields are those of :mod:`poselab.evaluation.comparability.fields`.

    Raises:
        InputError: a detections file no longer exists.
    """
    train, val = (image_files(s.annotations, s.images) for s in (data.train, data.val))
    count, how = count_shared_images(train, val)
    return {
        **sample_comparability(data.val_samples, module),
        "training": _training_record(data.train),
        "overlap": {"images": count, "decided_by": how},
    }


def sample_comparability(samples: PoseDataset, module: PoseModule) -> dict[str, Any]:
    """The part of :func:`run_comparability` that does not need ground truth or training data.

    Framing, codec, post-processing and module each report their own settings.

    Raises:
        InputError: a detections file no longer exists.
    """
    parts = (samples.framing, module, module.codec, module.postprocess)
    record: dict[str, Any] = {}
    for part in parts:
        record |= part.comparability()
    return record | {"boxes": _boxes(samples, record["boxes"])}


def _boxes(samples: PoseDataset, boxes: dict[str, Any]) -> dict[str, Any]:
    """Where boxes come from: a file with its digest and person AP, ground truth, or, where items
    show no annotated person, none."""
    items, table = samples.items, samples.split.annotations
    if boxes["kind"] == "labelled" and not (items.person >= 0).all():
        return {"kind": "none"}
    if boxes["kind"] != "detected":
        return boxes
    content = read_bytes(Path(boxes["file"]), "a detections file")
    precision = person_average_precision(
        table.image_ids[items.image], items.boxes, items.scores, table
    )
    return boxes | {
        "file": Path(boxes["file"]).name,
        "fingerprint": hashlib.sha256(content).hexdigest()[:32],
        "person_AP": None if math.isnan(precision) else precision,
    }


def _training_record(split: Split) -> dict[str, Any]:
    table = split.annotations
    return {
        "annotations": Path(table.source).name,
        "fingerprint": table.fingerprint,
        "images": len(table),
        "instances": table.num_instances,
        "image_set": image_set(table.image_ids),
    }
