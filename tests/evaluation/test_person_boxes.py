"""The person AP of boxes equals COCO's reference code."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.person_boxes import person_average_precision


def test_person_ap_equals_pycocotools(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path))
    path = shared_data("coco-val2017-538/person_keypoints_val2017_subset538.json")
    table, rng = open_annotations(path), np.random.default_rng(0)
    kept = np.flatnonzero(rng.random(table.num_instances) < 0.8)
    boxes = table.boxes[kept] * rng.normal(1, 0.06, (len(kept), 4))
    scores, image_ids = rng.random(len(kept)), table.image_ids[table.image_of()[kept]]
    ours = person_average_precision(image_ids, boxes, scores, table)
    found = [
        {"image_id": i, "category_id": 1, "bbox": b, "score": s}
        for i, b, s in zip(image_ids.tolist(), boxes.tolist(), scores.tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(path))
        ground_truth.dataset["images"] = list(
            {i["id"]: i for i in ground_truth.dataset["images"]}.values()
        )
        ground_truth.createIndex()
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(found), "bbox")
        evaluation.params.catIds = [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert 0.1 < ours < 0.9
    assert ours == pytest.approx(evaluation.stats[0], abs=1e-12)
