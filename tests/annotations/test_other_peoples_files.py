"""Damaged, huge, misshapen and unusual annotation files: read right, or one sentence."""

from __future__ import annotations

import gzip
import io
import json
import time
import warnings

import numpy as np
import pytest
from coco_labels import coco, person

from poselab.annotations import cache, open_annotations
from poselab.evaluation.predictions import Predictions, read_predictions, write_predictions
from poselab.structures import InputError

NAMES = ["top", "left_wing", "right_wing"]


def bird(number, category=1, **changes):
    return person(number, 10, keypoints=[5, 6, 2] * 3, category_id=category, **changes)


def birds(categories, instances):
    return coco(instances) | {"categories": categories}


def category(number, names=NAMES, **more):
    return {"id": number, "name": f"kind{number}", "keypoints": names} | more


def test_a_flipped_byte_of_the_cache_never_changes_what_is_read(write, cache_folder, monkeypatch):
    monkeypatch.setattr(cache, "_CLOCK_RESOLUTION", -1.0)
    path = write(coco([person(n, 10, iscrowd=int(n == 3)) for n in range(1, 9)]))
    plain = open_annotations(path, cache=False)
    open_annotations(path)
    files = sorted(cache_folder.iterdir())
    draw = np.random.default_rng(0)
    for number in range(300):
        file = files[number % 10 == 0 and files[0].suffix == ".json"]
        file = files[int(number % 10 != 0) % len(files)] if len(files) > 1 else files[0]
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[draw.integers(len(whole))] ^= 1 << draw.integers(8)
        file.write_bytes(changed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = open_annotations(path)
        for name in ("keypoints", "visibility", "boxes", "areas", "crowd", "mask_bytes", "sizes"):
            assert np.array_equal(getattr(plain, name), getattr(table, name)), (file, name)
        assert table.skeleton == plain.skeleton
        file.write_bytes(whole)


def test_a_small_gzip_file_does_not_fill_the_memory(tmp_path, monkeypatch):
    path = tmp_path / "labels.json.gz"
    path.write_bytes(gzip.compress(b"[" + b" " * (1 << 22) + b"]"))
    monkeypatch.setenv("POSELAB_MAX_MEMORY", "1M")
    with pytest.raises(InputError, match=r"expected at most 1 MiB .* POSELAB_MAX_MEMORY=16G"):
        open_annotations(path)
    monkeypatch.setenv("POSELAB_MAX_MEMORY", "much")
    with pytest.raises(InputError, match="POSELAB_MAX_MEMORY as a size such as 8G, got 'much'"):
        open_annotations(path)


def test_arrays_larger_than_the_memory_are_not_read(tmp_path, monkeypatch):
    h5py, sio = pytest.importorskip("h5py"), pytest.importorskip("scipy.io")
    hdf5 = tmp_path / "valid.h5"
    with h5py.File(hdf5, "w") as file:
        file.create_dataset("part", (10**9, 16, 2), "f8", chunks=(1024, 16, 2))
    with pytest.raises(InputError, match="expected at most 2 GiB in .*valid.h5, got 238 GiB"):
        open_annotations(hdf5)
    matlab = tmp_path / "joints.mat"
    content = io.BytesIO()
    sio.savemat(content, {"joints": np.zeros((3, 14, 40_000))}, do_compression=True)
    matlab.write_bytes(content.getvalue())
    monkeypatch.setenv("POSELAB_MAX_MEMORY", "4M")
    with pytest.raises(InputError, match="expected at most 4 MiB"):
        open_annotations(matlab)


def test_a_results_list_of_spaces_is_read_in_linear_time(tmp_path):
    record = {"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1] * 3, "score": 0.5}
    path = tmp_path / "results.json"
    text = json.dumps(record)
    path.write_text("[" + text + " " * 20_000_000 + "," + text + "]")
    start = time.perf_counter()
    assert len(read_predictions(path)) == 2
    assert time.perf_counter() - start < 5


NESTED = "[" * 100_000
CHANGED = {
    "null image": ("images", 0, None, "expected objects in the lists .* got None at row 0"),
    "categories": ("categories", None, 5, "expected the list `categories` .* got 5"),
    "names": ("categories", 0, {"id": 1, "keypoints": 17}, "list of names, got 17"),
    "height": ("images", 0, {"id": 10, "file_name": "a", "height": -4}, "`height` of image 10"),
    "width": ("images", 0, {"id": 10, "file_name": "a", "width": 10**9}, "from 0 to 65,535"),
    "NaN": ("images", 0, {"id": 10, "file_name": "a", "width": float("nan")}, "`width` of image"),
    "NUL": ("images", 0, {"id": 10, "file_name": "a\0b"}, "characters that no file name has"),
    "long": ("images", 0, {"id": 10, "file_name": "a" * 5000}, "got 5,000 characters"),
    "number": ("images", 0, {"id": 10, "file_name": 7}, "`file_name` of image 10 .* got 7"),
    "float id": ("annotations", 0, {"id": 1.5}, "`id` of the annotation|`id` of the image"),
    "bool id": ("annotations", 0, person(True, 10), "a whole number, got True"),
    "large id": ("annotations", 0, person(1, 10) | {"id": 1 << 63}, "whole number, got 9223"),
    "crowd": ("annotations", 0, person(1, 10, iscrowd="no"), "`iscrowd` of annotation 1"),
    "keypoints": (
        *("annotations", 0, person(1, 10, keypoints=[*[1, 2, 2] * 16, 1, 2, "x"])),
        "got 51 values with 'x'",
    ),
    "runs": (
        *("annotations", 0),
        person(1, 10, iscrowd=1, segmentation={"counts": [10**18], "size": [100, 120]}),
        "run-lengths of at most the 12,000 pixels",
    ),
    "text runs": (
        *("annotations", 0),
        person(1, 10, iscrowd=1, segmentation={"counts": "ooooooo0", "size": [100, 120]}),
        "run-lengths of at most the 12,000 pixels",
    ),
    "far polygon": (
        *("annotations", 0),
        person(1, 10, iscrowd=1, segmentation=[[0, 0, 1e9, 0, 1e9, 1e9]]),
        "within twice the image",
    ),
    "flat polygon": ("annotations", 0, person(1, 10, iscrowd=1, segmentation=7), "polygons or"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_values_of_other_types_and_ranges_are_one_sentence(write, case):
    section, row, value, sentence = CHANGED[case]
    content = coco([person(1, 10), person(2, 10)])
    if row is None:
        content[section] = value
    else:
        content[section][row] = value
    with pytest.raises(InputError, match=sentence) as caught:
        open_annotations(write(content))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[1.5, null]", "expected `image` of an annotation in entry 0"),
        ((NESTED + "]" * 100_000).encode(), "at most 1,000 nested brackets|MPII|list of people"),
        (b'{"images": [{"id": 1, "file_name": "\\ud800"}], "annotations": []}', "surrogate"),
        (json.dumps(coco([])).encode("utf-16"), "expected UTF-8 text in .*, found UTF-16"),
        ('{"info": "Zo\u00eb"}'.encode("latin-1"), r"found Latin-1 .*byte 0xeb at 12"),
    ],
)
def test_other_texts_are_named(tmp_path, content, sentence):
    path = tmp_path / "labels.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        open_annotations(path)


def test_a_byte_order_mark_is_skipped(write, tmp_path):
    path = write(coco([person(1, 10)]))
    plain = open_annotations(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert np.array_equal(open_annotations(path).keypoints, plain.keypoints)
    results = tmp_path / "results.json"
    record = {"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1] * 17, "score": 0.5}
    results.write_bytes(b"\xef\xbb\xbf" + json.dumps([record]).encode())
    assert len(read_predictions(results)) == 1
    results.write_bytes(json.dumps([record]).encode("utf-16"))
    with pytest.raises(InputError, match="found UTF-16"):
        read_predictions(results)


@pytest.mark.parametrize(
    ("limbs", "kept", "warned"),
    [
        ([[0, 1], [0, 2]], 2, False),
        ([["top", "left wing"]], 1, False),
        (None, 0, False),
        ([1, 2, 2, 3], 0, True),
        ([[1, 2, 3], [1, 2]], 1, True),
        ({"0": [1, 2]}, 0, True),
        ([[1, 9], [1, 1], [[1], 2]], 0, True),
        (7, 0, True),
    ],
)
def test_limbs_in_other_forms_are_read_or_left_out_with_one_warning(write, limbs, kept, warned):
    path = write(birds([category(1, skeleton=limbs)], [bird(1)]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(open_annotations(path, cache=False).skeleton.limbs) == kept
    assert [("limbs in the `skeleton`" in str(w.message)) for w in caught] == [True] * warned


def test_keypoints_without_names_are_numbered(write):
    table = open_annotations(write(birds([{"id": 1, "name": "card"}], [bird(1)])))
    assert table.skeleton.keypoints == ("keypoint_1", "keypoint_2", "keypoint_3")


def test_categories_with_the_same_keypoints_are_used_together_and_keep_their_ids(write, tmp_path):
    kinds = [category(n) for n in (2, 5, 9)]
    path = write(birds(kinds, [bird(1, 5), bird(2, 2), bird(3, 9)]))
    table = open_annotations(path)
    assert (table.num_instances, table.categories) == (3, (2, 5, 9))
    out = tmp_path / "val.json"
    poses = Predictions(
        np.full(3, 10), np.array([3, 1, -1]), table.keypoints, np.ones((3, 3)), np.ones(3)
    )
    write_predictions(out, poses, table)
    assert [record["category_id"] for record in json.loads(out.read_text())] == [9, 5, 2]
    assert len(read_predictions(out, table.categories)) == 3
    assert open_annotations(path, category="kind5").annotation_ids.tolist() == [1]
    assert open_annotations(path, category=9).annotation_ids.tolist() == [3]
    with pytest.raises(InputError, match="expected a category out of .*kind2 .2., kind5"):
        open_annotations(path, category="cat")


def test_categories_with_other_keypoints_need_a_choice(write):
    kinds = [category(1), category(2, ["beak", "tail", "back"]), {"id": 3, "name": "tree"}]
    path = write(birds(kinds, [bird(1, 1), bird(2, 2), bird(3, 2)]))
    sentence = r"got 1 of 'kind1' .3 keypoints., 2 of 'kind2' .* choose one with --category NAME"
    with pytest.raises(InputError, match=sentence):
        open_annotations(path)
    assert open_annotations(path, category="kind2").num_instances == 2


def test_the_id_of_the_only_category_is_kept(write, tmp_path):
    table = open_annotations(write(birds([category(5)], [bird(1, 5)])))
    poses = Predictions(
        np.array([10]), np.array([-1]), table.keypoints, np.ones((1, 3)), np.ones(1)
    )
    write_predictions(tmp_path / "val.json", poses, table)
    assert json.loads((tmp_path / "val.json").read_text())[0]["category_id"] == 5
    assert len(read_predictions(tmp_path / "val.json", categories=None)) == 1
    with pytest.raises(InputError, match="expected category_id 1, as the annotations have"):
        read_predictions(tmp_path / "val.json")
