"""Random COCO cases, and what plain pycocotools says of files."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

if TYPE_CHECKING:
    from pathlib import Path


def plain_pycocotools(ground_truth: Path, found: Path, sigmas: list[float]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(ground_truth))
        evaluation = COCOeval(coco, coco.loadRes(str(found)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def case(seed: int, keypoints: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Crowds, people without keypoints, empty images, ties, some with over 20 poses or none."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([20.0, 60.0, 95.0, 140.0], size=2 if seed % 3 else 1, replace=False)
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 480, "width": 640} for n in range(1, 13)]
    annotations, results = [], []
    for image in images:
        for _ in range(rng.integers(0, 5)):
            size = rng.choice(sizes)
            corner = rng.uniform(0, 300, 2)
            points = corner + rng.uniform(0, size, (keypoints, 2))
            visibility = rng.choice([0, 1, 2], size=keypoints) * (rng.random() > 0.15)
            labels = np.column_stack([points.round(rng.integers(0, 3)), visibility])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": 1,
                    "keypoints": (labels * (visibility > 0)[:, None]).ravel().tolist(),
                    "num_keypoints": int((visibility > 0).sum()),
                    "bbox": [*corner.tolist(), float(size), float(size)],
                    "area": float(size**2 * rng.uniform(0.3, 1)),
                    "iscrowd": int(rng.random() < 0.1),
                }
            )
            for _ in range(rng.choice([0, 1, 2, 9])):
                spread = size * rng.choice([0.0, 0.02, 0.05, 0.2])
                results.append(
                    result(rng, image["id"], points + rng.normal(0, 1, points.shape) * spread)
                )
        for _ in range(rng.integers(0, 3)):
            results.append(result(rng, image["id"], rng.uniform(0, 400, (keypoints, 2))))
    order = rng.permutation(len(results))
    names = [f"joint_{k}" for k in range(keypoints)]
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": []}
    ground_truth = {"images": images, "annotations": annotations, "categories": [category]}
    return ground_truth, [results[i] for i in order]


def result(rng: np.random.Generator, image_id: int, points: Any) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": np.column_stack([points, rng.random(len(points))]).ravel().tolist(),
        "score": float(rng.choice([rng.random(), 0.25, 0.5, 0.75])),
    }
