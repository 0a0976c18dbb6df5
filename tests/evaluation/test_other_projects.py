"""Detections as other projects write them, made here in their shapes, and hostile pickles."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions_file import open_predictions
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations import Annotations
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.predictions_file import PredictionsFile

    Make = Callable[..., Annotations]

IDS = [7, 12, 300, 4]


@pytest.fixture
def table(make_table: Make) -> Annotations:
    """Four people in three images, called by numbers that are not their ids."""
    points = np.full((4, 17, 3), 2.0)
    points[..., :2] = np.random.default_rng(0).uniform(10, 400, (4, 17, 2))
    table = make_table(points, images=[1, 1, 2, 3], annotation_ids=IDS)
    names = np.array([b"000139.jpg", b"a/street.view.png", b"b/000285.jpg"])
    return dataclasses.replace(table, file_names=names, layout="coco")


def records(table: Annotations, images: Any = None, **fields: Any) -> list[dict[str, Any]]:
    """A pose of 0.5 pixels beside every person, as COCO results with other ``fields``."""
    images = table.image_ids[table.image_of()].tolist() if images is None else images
    return [
        {"image_id": image, "category_id": 1, "bbox": [1.0, 2.0, 300.0, 300.0], "score": 0.9}
        | {"keypoints": np.c_[pose + 0.5, np.ones(17)].ravel().tolist()}
        | fields
        for image, pose in zip(images, table.keypoints, strict=True)
    ]


def written(path: Path, tree: Any) -> Path:
    path.write_text(json.dumps(tree))
    return path


def assert_found(found: PredictionsFile, table: Annotations, note: str = "") -> None:
    """The poses lie where they should, in the right image; the note is said."""
    poses = found.predictions
    assert np.allclose(poses.keypoints, table.keypoints + 0.5)
    assert np.array_equal(poses.image_ids, table.image_ids[table.image_of()])
    assert note in "\n".join(found.notes)
    assert OksEvaluator()(poses, table).values["AP"] == 1.0


def test_ultralytics_names_images_by_their_files(table: Annotations, tmp_path: Path) -> None:
    """A number where the name is one, else the name without its ending; newer versions also write
    the file's name."""
    stems = [139, 139, "street.view", 285]
    found = open_predictions(written(tmp_path / "predictions.json", records(table, stems)), table)
    assert_found(found, table, "images are told by the names of their files")
    files = ["000139.jpg", "000139.jpg", "street.view.png", "000285.jpg"]
    newer = records(table, [1, 1, 2, 3])
    for record, name in zip(newer, files, strict=True):
        record["file_name"] = name
    assert_found(open_predictions(written(tmp_path / "p.json", newer), table), table)


def test_numbers_of_files_are_not_ids(table: Annotations, tmp_path: Path) -> None:
    """Only ids that no image has are looked up; with the files' names, those that one has too."""
    numbered = dataclasses.replace(
        table, file_names=np.array([b"000139.jpg", b"000140.jpg", b"000285.jpg"])
    )
    found = open_predictions(
        written(tmp_path / "predictions.json", records(table, [139, 139, 140, 285])), numbered
    )
    assert_found(found, numbered, "numbers that the images' files are called")
    taken = dataclasses.replace(table, file_names=np.array([b"2.jpg", b"3.jpg", b"1.jpg"]))
    confused = records(table, [2, 2, 3, 1])
    for record in confused:
        record["file_name"] = f"{record['image_id']}.jpg"
    found = open_predictions(written(tmp_path / "p.json", confused), taken)
    assert_found(found, taken, "images are told by the names of their files")


@pytest.mark.parametrize("first", [0, 1])
def test_categories_numbered_from_0_or_1(table: Annotations, tmp_path: Path, first: int) -> None:
    table = dataclasses.replace(table, categories=(3, 5))
    listed = records(table, category_id=2 * first)  # 1 always stands for people
    found = open_predictions(written(tmp_path / "predictions.json", listed), table)
    assert_found(found, table, f"category ids are taken as numbered from {first}")
    with pytest.raises(InputError, match="expected category_id 3 or 5"):
        open_predictions(written(tmp_path / "p.json", records(table, category_id=9)), table)


@pytest.mark.parametrize("odd", [{}, [1], None, 1.5, "person"])
def test_odd_ids_end_in_a_sentence(table: Annotations, tmp_path: Path, odd: Any) -> None:
    for field in ("category_id", "image_id"):
        listed = [*records(table), *records(table, **{field: odd})]
        with pytest.raises(InputError, match="expected"):
            open_predictions(written(tmp_path / "p.json", listed), table)


def test_keypoints_in_pairs_or_nested(table: Annotations, tmp_path: Path) -> None:
    pairs, nested = records(table), records(table)
    for record, pose in zip(pairs, table.keypoints, strict=True):
        record["keypoints"] = (pose + 0.5).ravel().tolist()
    found = open_predictions(written(tmp_path / "pairs.json", pairs), table)
    assert_found(found, table, "keypoints have no scores, which are taken as 1")
    for record, pose in zip(nested, table.keypoints, strict=True):
        record["keypoints"] = np.c_[pose + 0.5, np.ones(17)].tolist()
    assert_found(open_predictions(written(tmp_path / "nested.json", nested), table), table)


def test_predictions_of_detectron2(table: Annotations, tmp_path: Path) -> None:
    """instances_predictions.pth has one list an image, its only category is 0."""
    import torch

    listed = records(table, category_id=0)
    images = [
        {"image_id": number, "instances": [r for r in listed if r["image_id"] == number]}
        for number in table.image_ids.tolist()
    ]
    torch.save(images, tmp_path / "instances_predictions.pth")
    found = open_predictions(tmp_path / "instances_predictions.pth", table)
    assert_found(found, table, "category ids are taken as numbered from 0")
    torch.save({"poses": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="expected 4 poses of 17 keypoints .* got poses of 3"):
        open_predictions(tmp_path / "other.pth", table)
    for name in ("absent.pth", "absent.pkl"):
        with pytest.raises(InputError, match="no such file"):
            open_predictions(tmp_path / name, table)


def dump(table: Annotations, ids: Any, tensors: bool = False) -> list[dict[str, Any]]:
    """A sample for each person as mmpose dumps it, keypoints found but for one of low score."""
    import torch

    of_joints = np.full((1, 17), 0.6, np.float32)
    of_joints[0, 3] = 0.1
    images = table.image_ids[table.image_of()].tolist()
    samples = []
    for number, image, pose in zip(ids, images, table.keypoints, strict=True):
        found: dict[str, Any] = {"keypoints": pose[None] + 0.5, "keypoint_scores": of_joints}
        found |= {"bbox_scores": np.full(1, 0.5, np.float32), "bboxes": np.zeros((1, 4))}
        if tensors:
            found = {name: torch.from_numpy(array) for name, array in found.items()}
        samples.append(
            {"id": number, "img_id": image, "img_path": "x.jpg", "img_shape": (500, 500)}
            | {"pred_instances": found, "gt_instances": {"bboxes": np.zeros((1, 4))}}
        )
    return samples


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("tensors", [False, True])
def test_a_dump_of_mmpose(table: Annotations, tmp_path: Path, protocol: int, tensors: bool) -> None:
    """With ids of annotations, scored as CocoMetric scores by default; padding is dropped."""
    samples = dump(table, IDS, tensors)
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps([*samples, samples[0]], protocol=protocol))
    found = open_predictions(tmp_path / "dump.pkl", table)
    assert_found(found, table, "before its NMS")
    assert found.predictions.annotation_ids.tolist() == IDS
    assert np.allclose(found.predictions.scores, 0.5 * 0.6)


def batches(table: Annotations) -> list[dict[str, Any]]:
    """Two batches as mmpose 0.x writes them; boxes are numbered within their image."""
    of_joints = np.full((len(table.keypoints), 17, 1), 0.6, np.float32)
    of_joints[:, 3] = 0.1
    preds = np.concatenate([table.keypoints + 0.5, of_joints], axis=2)
    names = [f"data/val/{table.file_name(row)}" for row in table.image_of()]
    boxes = np.tile(np.array([1, 1, 1, 1, 40000, 0.5], np.float32), (len(preds), 1))
    numbers = [names[:place].count(name) for place, name in enumerate(names)]
    return [
        {"preds": preds[part], "boxes": boxes[part], "image_paths": names[part]}
        | {"bbox_ids": numbers[part], "output_heatmap": None}
        for part in (slice(0, 3), slice(3, None))
    ]


def test_batches_of_mmpose_0(table: Annotations, tmp_path: Path) -> None:
    """Images are found by the ends of their paths; padding of the last batch is dropped."""
    first, last = batches(table)
    (tmp_path / "out.pkl").write_bytes(pickle.dumps([first, last, first]))
    found = open_predictions(tmp_path / "out.pkl", table)
    assert_found(found, table, "before its NMS")
    assert np.allclose(found.predictions.scores, 0.5 * 0.6)
    odd = [
        (first | {"image_paths": ["elsewhere.jpg"] * 3}, "expected images of .* 'elsewhere.jpg'"),
        (first | {"image_paths": 3}, "expected lists of n image_paths"),
        (first | {"bbox_ids": [0]}, "expected lists of n image_paths"),
        (first | {"bbox_ids": ["x", 1, 2]}, "expected whole numbers as ids"),
        (first | {"boxes": np.zeros((3, 4))}, r"boxes \(3, 4\)"),
        (first | {"preds": [[1.0]]}, "expected arrays of numbers"),
    ]
    for batch, sentence in odd:
        (tmp_path / "out.pkl").write_bytes(pickle.dumps([batch]))
        with pytest.raises(InputError, match=sentence):
            open_predictions(tmp_path / "out.pkl", table)


def test_people_of_a_dump(table: Annotations, tmp_path: Path) -> None:
    """Numbers from 0 in the order of annotation ids, as for MPII; of detections, none are told."""
    order = np.argsort(np.argsort(IDS))
    for ids, people in ((order.tolist(), IDS), ([5, 9, 2, 1], [-1] * 4)):
        (tmp_path / "dump.pkl").write_bytes(pickle.dumps(dump(table, ids)))
        found: Predictions = open_predictions(tmp_path / "dump.pkl", table).predictions
        assert found.annotation_ids.tolist() == people


def test_pickled_arrays_are_read(table: Annotations, tmp_path: Path) -> None:
    poses = table.keypoints[np.argsort(IDS)] + 0.5
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"poses": poses, "about": "a method"}))
    found = open_predictions(tmp_path / "a.pkl", table)
    row = [IDS.index(number) for number in found.predictions.annotation_ids.tolist()]
    assert np.allclose(found.predictions.keypoints, table.keypoints[row] + 0.5)


class Code:
    """What a pickle calls when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "code",
    [
        Code(os.system, "touch ran"),
        Code(eval, "open('ran', 'w')"),
        Code(getattr, "x", "join"),
        Code(np.load, "ran.npy"),
        Code(np.fromfile, "ran"),
        Code(bytes.fromhex, "00"),
    ],
)
def test_pickles_run_no_code(
    table: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Code
) -> None:
    monkeypatch.chdir(tmp_path)
    samples = dump(table, IDS)
    samples[0]["pred_instances"]["keypoints"] = code
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps(samples))
    with pytest.raises(InputError, match="an object of .*not read because pickles can run code"):
        open_predictions(tmp_path / "dump.pkl", table)
    assert not (tmp_path / "ran").exists()


def test_a_tensor_in_a_pickle_cannot_hide_code(table: Annotations, tmp_path: Path) -> None:
    """torch unpickles a tensor's storage from bytes, without limits of its own."""
    from torch.storage import _load_from_bytes

    hidden = Code(_load_from_bytes, pickle.dumps(Code(os.system, f"touch {tmp_path}/ran"), 2))
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps(hidden))
    with pytest.raises(InputError, match="expected a pickle"):
        open_predictions(tmp_path / "dump.pkl", table)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nothing tells the memory used")
def test_a_pickle_that_numbers_its_objects_from_far_takes_no_memory(
    table: Annotations, tmp_path: Path
) -> None:
    """Of 12 bytes; Python's unpickler in C would fill 34 GB."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    (tmp_path / "dump.pkl").write_bytes(b"\x80\x02Nr" + (2**31 - 2).to_bytes(4, "little") + b".")
    with pytest.raises(InputError, match="expected at most 2 GiB unpacked"):
        open_predictions(tmp_path / "dump.pkl", table)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_damaged_dumps_end_in_a_sentence(table: Annotations, tmp_path: Path) -> None:
    samples = dump(table, IDS)
    odd: list[Any] = [
        [samples[0], None],
        [samples[0] | {"img_id": "x"}],
        [samples[0] | {"id": 10**30}],
        [samples[0] | {"pred_instances": {"keypoints": [[1, 2]], "keypoint_scores": [1]}}],
        [samples[0] | {"pred_instances": {"keypoints": np.zeros((1, 17)), "keypoint_scores": 1}}],
    ]
    for tree in odd:
        (tmp_path / "dump.pkl").write_bytes(pickle.dumps(tree))
        with pytest.raises(InputError, match="expected"):
            open_predictions(tmp_path / "dump.pkl", table)
    whole = pickle.dumps(samples)
    for content in (b"", b"nothing", whole[: len(whole) // 2]):
        (tmp_path / "dump.pkl").write_bytes(content)
        with pytest.raises(InputError, match="expected a pickle"):
            open_predictions(tmp_path / "dump.pkl", table)
