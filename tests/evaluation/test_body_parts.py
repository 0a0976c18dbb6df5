"""AP and AR of COCO-WholeBody's parts against pycocotools on files of one part alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from poselab.annotations import Annotations
from poselab.evaluation.metrics.body_parts import PARTS, PartsEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import COCO17, WHOLEBODY133
from poselab.structures import InputError

Make = Callable[..., Annotations]


def noisy(table: Annotations) -> Predictions:
    """Two poses a person, of one of four of which no keypoint of the left hand is confident."""
    rng = np.random.default_rng(1)
    rows = np.repeat(np.arange(table.num_instances), 2)
    spread = rng.choice([1.0, 6.0, 20.0], (len(rows), 1, 1))
    scores = rng.random((len(rows), 133))
    scores[::4, 91:112] = 0
    return Predictions(
        table.image_ids[table.image_of()[rows]],
        np.full(len(rows), -1),
        table.keypoints[rows] + rng.normal(0, 1, (len(rows), 133, 2)) * spread,
        scores,
        rng.random(len(rows)),
    )


def expected(table: Annotations, found: Predictions, part: slice) -> tuple[float, float]:
    """AP and AR of a data set that has no other keypoints."""
    where = table.image_ids[table.image_of()].tolist()
    seen = table.visibility[:, part]
    points = np.dstack([table.keypoints[:, part], seen]).reshape(table.num_instances, -1).tolist()
    instances: list[dict[str, Any]] = [
        {"id": n + 1, "image_id": where[n], "category_id": 1, "iscrowd": int(table.crowd[n])}
        | {"keypoints": points[n], "num_keypoints": int((seen[n] > 0).sum())}
        | {"area": float(table.areas[n]), "bbox": table.boxes[n].tolist()}
        for n in range(table.num_instances)
    ]
    poses = np.dstack([found.keypoints[:, part], found.keypoint_scores[:, part]])
    results = [
        {"image_id": int(i), "category_id": 1, "score": float(s), "keypoints": p.ravel().tolist()}
        for i, s, p in zip(found.image_ids, found.scores, poses, strict=True)
        if (p[:, 2] > 0).any()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO()
        images = [{"id": int(i)} for i in table.image_ids]
        ground_truth.dataset = {
            "images": images,
            "annotations": instances,
            "categories": [{"id": 1}],
        }
        ground_truth.createIndex()
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(WHOLEBODY133.oks_sigmas[part])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0], evaluation.stats[5]


def test_each_part_is_scored_as_if_it_were_alone(make_table: Make) -> None:
    rng = np.random.default_rng(0)
    points = np.dstack([rng.uniform(0, 100, (30, 133, 2)), rng.integers(0, 3, (30, 133))])
    points[::5, 23:91, 2] = 0  # no face
    points[:, :, :2] *= points[:, :, 2:] > 0
    images, crowd = np.repeat(np.arange(10), 3), np.arange(30) % 11 == 0
    table = make_table(points, WHOLEBODY133, images=images, crowd=crowd)
    found = noisy(table)
    values = PartsEvaluator()(found, table).values
    first = 0
    for name, count in PARTS.items():
        part = slice(first, first + count)
        assert (values[f"AP/{name}"], values[f"AR/{name}"]) == expected(table, found, part), name
        first += count


def test_other_skeletons_raise(make_table: Make) -> None:
    table = make_table(np.full((2, 17, 3), 2.0), COCO17)
    with pytest.raises(InputError, match="expected annotations of wholebody133, got coco17"):
        PartsEvaluator()(noisy(make_table(np.ones((2, 133, 3)), WHOLEBODY133)), table)
