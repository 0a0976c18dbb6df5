"""Under which conditions a run makes its predictions: its own part of the contract."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.datasets.leaks.shared_images import count_shared_images, image_files
from poselab.evaluation.metrics.person_boxes import person_average_precision
from poselab.evaluation.record import image_set
from poselab.grouping.pose_nms import NMS_RULES
from poselab.io.files import read_bytes
from poselab.modules.pose_module import PoseModule
from poselab.modules.top_down import TopDown

if TYPE_CHECKING:
    from poselab.data import PoseData
    from poselab.data.dataset import PoseDataset, Split


def run_comparability(data: PoseData, module: PoseModule) -> dict[str, Any]:
    """What the figures of a run's predictions depend on besides the labels: plain values only.

    The fields are those that :mod:`poselab.evaluation.comparability_fields` knows how to tell.

    Raises:
        InputError: a detections file is not there any more.
    """
    return {
        **sample_comparability(data.val_samples, module),
        "training": _labels(data.train),
        "overlap": _overlap(data),
    }


def sample_comparability(samples: PoseDataset, module: PoseModule) -> dict[str, Any]:
    """The part of it that images without labels have: all but what was trained on.

    Raises:
        InputError: a detections file is not there any more.
    """
    framing = samples.framing
    return {
        "boxes": _boxes(samples),
        "flip_test": bool(module.flip_test),
        "flip_shift": _flip_shift(module),
        "pixels": getattr(framing, "pixels", None),
        "input_size": [int(length) for length in framing.size],
        "padding": getattr(framing, "padding", None),
        "score": _score(module),
        "nms": _nms(module),
    }


def _boxes(samples: PoseDataset) -> dict[str, Any]:
    """Where the boxes come from: nowhere (whole images), the labels, or a file with its digest
    and person AP."""
    framing, items, table = samples.framing, samples.items, samples.split.annotations
    if framing.max_instances > 1:
        return {"kind": "none"}
    file = getattr(framing, "boxes", None)
    if file is None:
        return {"kind": "labelled" if (items.person >= 0).all() else "none"}
    content = read_bytes(Path(file), "a detections file")
    precision = person_average_precision(
        table.image_ids[items.image], items.boxes, items.scores, table
    )
    return {
        "kind": "detected",
        "file": Path(file).name,
        "fingerprint": hashlib.sha256(content).hexdigest()[:32],
        "threshold": float(getattr(framing, "threshold", 0.0)),
        "person_AP": None if math.isnan(precision) else precision,
    }


def _flip_shift(module: PoseModule) -> int | None:
    """Cells by which the flip test moves maps; None for codecs without maps."""
    grid = getattr(module.codec, "grid", None)
    return None if grid is None else int(grid.flip_shift)


def _score(module: PoseModule) -> str:
    """How a pose gets its score, in words."""
    rule = type(module).score
    if rule is TopDown.score and isinstance(module, TopDown):
        return _top_down_score(module)
    if rule is PoseModule.score and not hasattr(module, "scored_by"):
        return "mean of all keypoint scores"
    return getattr(module, "scored_by", f"by {type(module).__name__}")


def _top_down_score(module: TopDown) -> str:
    few = module.keypoint_threshold is not None
    mean = f"mean of {'keypoint scores' if few else 'all keypoint scores'}"
    mean += f" above {module.keypoint_threshold:g}" if few else ""
    return {"box": "box score", "keypoints": mean, "product": f"box score · {mean}"}[
        module.score_rule
    ]


def _nms(module: PoseModule) -> dict[str, Any] | None:
    threshold = getattr(module, "nms", None)
    if threshold is None:
        return None
    kind = NMS_RULES[getattr(module, "nms_kind", "oks")][0]
    return {"kind": kind, "threshold": float(threshold)}


def _labels(split: Split) -> dict[str, Any]:
    table = split.annotations
    return {
        "annotations": Path(table.source).name,
        "fingerprint": table.fingerprint,
        "images": len(table),
        "instances": table.instances,
        "image_set": image_set(table.image_ids),
    }


def _overlap(data: PoseData) -> dict[str, Any]:
    """How many evaluation images were trained on, and how that was decided."""
    train, val = (image_files(s.annotations, s.images) for s in (data.train, data.val))
    count, how = count_shared_images(train, val)
    return {"images": count, "decided_by": how}
