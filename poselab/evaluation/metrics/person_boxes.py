"""The average precision of people's boxes, as of a detector."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

_PERSON = {"id": 1, "name": "person"}


def person_average_precision(
    image_ids: Ints, boxes: Floats, scores: Floats, annotations: Annotations
) -> float:
    """COCO's box AP (IoU 0.50 to 0.95, all sizes, 100 boxes per image) of boxes (D, 4) x y w h.

    All annotated people count, also those without keypoints; NaN where there are none.
    Source: Lin et al. 2014 and cocodataset.org/#detection-eval.
    """
    return person_precisions(image_ids, boxes, scores, annotations)["AP"]


def person_precisions(
    image_ids: Ints, boxes: Floats, scores: Floats, annotations: Annotations
) -> dict[str, float]:
    """The same AP, and AP50 and AP75 at one IoU each."""
    import hotcoco

    ground_truth, detections = hotcoco.COCO(), hotcoco.COCO()
    dataset = _ground_truth(annotations)
    ground_truth.dataset = dataset
    detections.dataset = {**dataset, "annotations": _detections(image_ids, boxes, scores)}
    with contextlib.redirect_stdout(io.StringIO()):
        for index in (ground_truth, detections):
            index.createIndex()
        evaluation = hotcoco.COCOeval(ground_truth, detections, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    assert evaluation.eval is not None
    precision = np.asarray(evaluation.eval["precision"])[..., 0, -1]  # all sizes, most boxes
    return {"AP": _mean(precision), "AP50": _mean(precision[:1]), "AP75": _mean(precision[5:6])}


def _mean(precision: Floats) -> float:
    there = precision[precision > -1]
    return float(there.mean()) if there.size else float("nan")


def _ground_truth(annotations: Annotations) -> dict[str, Any]:
    columns = zip(
        annotations.image_ids[annotations.image_of()].tolist(),
        annotations.boxes.tolist(),
        annotations.areas.tolist(),
        annotations.crowd.astype(int).tolist(),
        strict=True,
    )
    instances = [
        {"id": n, "image_id": i, "category_id": 1, "bbox": box, "area": area, "iscrowd": crowd}
        for n, (i, box, area, crowd) in enumerate(columns, start=1)
    ]
    images = [
        {"id": image_id, "file_name": "", "height": height, "width": width}
        for image_id, (height, width) in zip(
            annotations.image_ids.tolist(), annotations.sizes.tolist(), strict=True
        )
    ]
    return {"images": images, "categories": [_PERSON], "annotations": instances}


def _detections(image_ids: Ints, boxes: Floats, scores: Floats) -> list[dict[str, Any]]:
    areas = (boxes[:, 2] * boxes[:, 3]).tolist()
    columns = zip(image_ids.tolist(), boxes.tolist(), scores.tolist(), areas, strict=True)
    return [
        {"id": n, "image_id": i, "category_id": 1, "bbox": box, "score": score, "area": area}
        for n, (i, box, score, area) in enumerate(columns, start=1)
    ]
