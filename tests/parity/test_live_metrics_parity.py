"""Live metrics equal pycocotools and the evaluators, in any batches and any number of processes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from coco_cases import case, plain_pycocotools
from torchmetrics import MetricCollection

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.pckh import PckhEvaluator
from poselab.evaluation.predictions import Predictions
from poselab.skeletons import MPII16
from poselab.structures import InputError, Skeleton
from poselab.training.live_metrics import KeypointAP, PCKh

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations

Rows = dict[str, torch.Tensor]
SIGMAS = np.linspace(0.03, 0.1, 9).tolist()
NINE = Skeleton("nine", tuple(f"joint_{k}" for k in range(9)), ())


def tensors(ground_truth: dict[str, Any], found: list[dict[str, Any]]) -> tuple[Rows, Rows]:
    """A COCO case as a person who trains would have it."""
    points = torch.tensor([p["keypoints"] for p in found], dtype=torch.float64)
    preds = {
        "image_ids": torch.tensor([p["image_id"] for p in found]),
        "keypoints": points.reshape(len(found), -1, 3)[..., :2],
        "scores": torch.tensor([p["score"] for p in found], dtype=torch.float64),
    }
    instances = ground_truth["annotations"]
    labels = torch.tensor([p["keypoints"] for p in instances], dtype=torch.float64)
    labels = labels.reshape(len(instances), -1, 3)
    target = {
        "image_ids": torch.tensor([p["image_id"] for p in instances]),
        "annotation_ids": torch.tensor([p["id"] for p in instances]),
        "keypoints": labels[..., :2],
        "visibility": labels[..., 2].int(),
        "areas": torch.tensor([p["area"] for p in instances], dtype=torch.float64),
        "boxes": torch.tensor([p["bbox"] for p in instances], dtype=torch.float64),
        "crowd": torch.tensor([p["iscrowd"] for p in instances]),
    }
    return preds, target


def some(rows: Rows, chosen: Any) -> Rows:
    return {name: values[chosen] for name, values in rows.items()}


def expected(
    folder: Path, ground_truth: dict[str, Any], found: list[dict[str, Any]]
) -> list[float]:
    (folder / "ground_truth.json").write_text(json.dumps(ground_truth))
    (folder / "found.json").write_text(json.dumps(found))
    theirs = plain_pycocotools(folder / "ground_truth.json", folder / "found.json", SIGMAS)
    return [np.nan if figure == -1 else figure for figure in theirs]


def figures(metric: KeypointAP) -> list[float]:
    return [value.item() for value in metric.compute().values()]


@pytest.mark.parametrize("seed", range(6))
def test_ap_equals_pycocotools_for_any_batches(tmp_path: Path, seed: int) -> None:
    """At once; in batches of images, people before their poses; and as two merged metrics."""
    ground_truth, found = case(seed, 9)
    preds, target = tensors(ground_truth, found)
    theirs = expected(tmp_path, ground_truth, found)
    whole = KeypointAP(NINE, SIGMAS)
    whole.update(preds, target)
    np.testing.assert_array_equal(figures(whole), theirs)
    parts = [KeypointAP(NINE, SIGMAS), KeypointAP(NINE, SIGMAS)]
    for start in range(1, 13, 3):
        one, other = parts if start % 2 else parts[::-1]
        for metric, left, right in (
            (one, preds, some(target, [])),
            (other, some(preds, []), target),
        ):
            ids = [np.isin(side["image_ids"], range(start, start + 3)) for side in (left, right)]
            metric.update(some(left, ids[0]), some(right, ids[1]))
    parts[0].merge_state(parts[1])
    np.testing.assert_array_equal(figures(parts[0]), theirs)


PROCESS = """
import sys
import torch
from poselab.training.live_metrics import KeypointAP
from poselab.skeletons import Skeleton

folder, rank = sys.argv[1], int(sys.argv[2])
store = f"file://{folder}/store"
metric = KeypointAP(Skeleton("nine", tuple(f"joint_{k}" for k in range(9)), ()), SIGMAS)
torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=3)
shards = torch.load(f"{folder}/shards.pt")
if shards[rank] is not None:
    for preds, target in shards[rank]:
        metric.update(preds, target)
torch.save(metric.compute(), f"{folder}/{rank}.pt")
"""


@pytest.mark.slow
def test_several_processes_give_the_values_of_one(tmp_path: Path) -> None:
    """Two processes share an image, as padding makes them, and a third one gets nothing at all."""
    ground_truth, found = case(1, 9)
    preds, target = tensors(ground_truth, found)
    theirs = expected(tmp_path, ground_truth, found)

    def batch(ids: range) -> tuple[Rows, Rows]:
        return tuple(some(side, np.isin(side["image_ids"], ids)) for side in (preds, target))

    shards = [[batch(range(1, 4)), batch(range(4, 8))], [batch(range(7, 13))], None]
    torch.save(shards, tmp_path / "shards.pt")
    script = PROCESS.replace("SIGMAS", repr(SIGMAS))
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(rank)])
        for rank in range(3)
    ]
    assert [process.wait(timeout=200) for process in processes] == [0, 0, 0]
    for rank in range(3):
        values = torch.load(tmp_path / f"{rank}.pt")
        np.testing.assert_array_equal([v.item() for v in values.values()], theirs)


def people_with_heads(seed: int, count: int = 50) -> tuple[Rows, Rows]:
    rng = np.random.default_rng(seed)
    labels = rng.uniform(0, 400, (count, 16, 2))
    target = {
        "image_ids": torch.tensor(rng.integers(0, 30, count)),
        "annotation_ids": torch.tensor(rng.permutation(count) + 5),
        "keypoints": torch.tensor(labels),
        "visibility": torch.tensor(rng.integers(0, 3, (count, 16))),
        "head_boxes": torch.tensor(rng.uniform(0, 60, (count, 4)).round(1)),
    }
    order = rng.permutation(count)[: count - 3]  # three people nobody answers
    preds = some({**target, "scores": torch.rand(count)}, order)
    points = preds["keypoints"] + torch.tensor(rng.normal(0, 15, (count - 3, 16, 2)))
    names = ("image_ids", "annotation_ids", "scores")
    return {**{name: preds[name] for name in names}, "keypoints": points}, target


def as_files(folder: Path, preds: Rows, target: Rows) -> tuple[Predictions, Annotations]:
    points = torch.cat([target["keypoints"], target["visibility"][..., None]], dim=2)
    points = points * (target["visibility"] > 0)[..., None]
    instances = [
        {"id": i, "image_id": p, "category_id": 1, "keypoints": k, "head_box": h, "iscrowd": 0}
        for i, p, k, h in zip(
            target["annotation_ids"].tolist(),
            target["image_ids"].tolist(),
            points.flatten(1).tolist(),
            target["head_boxes"].tolist(),
            strict=True,
        )
    ]
    for person in instances:
        person["keypoints"][2::3] = [int(flag) for flag in person["keypoints"][2::3]]
    image_ids = sorted({person["image_id"] for person in instances})
    images = [{"id": n, "file_name": f"{n}", "height": 500, "width": 500} for n in image_ids]
    category = {"id": 1, "name": "person", "keypoints": list(MPII16.keypoints), "skeleton": []}
    content = {"images": images, "annotations": instances, "categories": [category]}
    (folder / "ground_truth.json").write_text(json.dumps(content))
    found = Predictions(
        preds["image_ids"].numpy(),
        preds["annotation_ids"].numpy(),
        preds["keypoints"].numpy(),
        np.ones((len(preds["scores"]), 16)),
        preds["scores"].double().numpy(),
    )
    return found, open_annotations(folder / "ground_truth.json", cache=False)


@pytest.mark.parametrize("seed", range(3))
def test_pckh_equals_the_evaluator(tmp_path: Path, seed: int) -> None:
    """Also when the last batch shows some people again."""
    preds, target = people_with_heads(seed)
    files = as_files(tmp_path, preds, target)
    assert files[1].skeleton == MPII16
    metric = PCKh()
    metric.update(preds, target)
    metric.update(some(preds, range(10)), some(target, range(20)))
    values = {key: value.item() for key, value in metric.compute().items()}
    assert values == PckhEvaluator()(*files).values
    assert 0.1 < values["PCKh@0.5"] < 0.9


def test_a_metric_collection_holds_and_resets_them() -> None:
    preds, target = people_with_heads(0)
    target["areas"] = torch.full((50,), 5_000.0)
    both = MetricCollection([PCKh(), KeypointAP(MPII16)])
    both.update(preds, target)
    first = both.compute()
    assert {"PCKh@0.5", "AP"} <= set(first)
    both.reset()
    both.update(some(preds, range(5)), some(target, range(50)))
    assert both.compute()["PCKh@0.5"] < first["PCKh@0.5"] / 3


def test_without_rows_every_value_is_nan() -> None:
    metric = KeypointAP(NINE, SIGMAS)
    preds, target = tensors(*case(0, 9))
    metric.update(some(preds, []), some(target, []))
    assert torch.isnan(metric.compute()["AP"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"areas": None}, "areas"),
        ({"visable": torch.zeros(1)}, "visable"),
        ({"keypoints": torch.zeros(1, 17, 2)}, r"\(1, 17, 2\)"),
        ({"areas": torch.tensor([torch.nan])}, "NaN"),
    ],
)
def test_wrong_tensors_raise(change: dict[str, Any], message: str) -> None:
    preds, target = tensors(*case(0, 9))
    wrong = {**some(target, [0]), **change}
    wrong = {name: values for name, values in wrong.items() if values is not None}
    with pytest.raises(InputError, match=message):
        KeypointAP(NINE, SIGMAS).update(preds, wrong)
