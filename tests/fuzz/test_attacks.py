"""Files that are made to harm: bombs, names outside the folder, code in names and in pickles."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fuzz_cases import Verdict, import_all, judge
from fuzz_formats import coco_files, coco_labels, tompson_files, write_json
from mutate_bytes import gzip_bomb, large_png
from mutate_values import DEEP
from PIL import Image

BY_OKS = "evaluate results.json --annotations labels.json"
BY_JOINT = "evaluate {} --annotations labels.mat --metric pckh"


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    import_all()


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Labels, results, boxes and images."""
    coco_files(tmp_path)
    return tmp_path


def refused(command: str, folder: Path) -> str:
    """The sentence by which a command refuses the files of a folder."""
    verdict = judge(command.split(), folder)
    assert verdict.kind == "refused", verdict
    return verdict.sentence


@pytest.mark.parametrize("name", ["labels.json", "results.json"])
@pytest.mark.parametrize("filler", [b" ", b"[1],"])
def test_a_gzip_bomb_is_not_unpacked(coco: Path, name: str, filler: bytes) -> None:
    content = (coco / name).read_bytes()
    start = content.index(b"[") + 1
    packed = [gzip.compress(part) for part in (content[:start], content[start:])]
    bomb = packed[0] + gzip_bomb(filler, 4000) + packed[1]
    (coco / f"{name}.gz").write_bytes(bomb)
    refused(BY_OKS.replace(name, f"{name}.gz"), coco)


@pytest.mark.parametrize("name", ["labels.json", "results.json"])
@pytest.mark.parametrize("text", [b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP])
def test_a_hundred_thousand_brackets(coco: Path, name: str, text: bytes) -> None:
    (coco / name).write_bytes(text)
    refused(BY_OKS, coco)


def test_results_whose_records_are_far_apart_are_read_in_linear_time(coco: Path) -> None:
    records = [json.dumps(record) for record in json.loads((coco / "results.json").read_bytes())]
    (coco / "results.json").write_text(f"[{(' ' * 20_000_000 + ',').join(records)}]")
    assert judge(BY_OKS.split(), coco).kind == "accepted"


@pytest.mark.parametrize("counts", [[10**18, 1], [0] * 9 + [10**18], "l" * 60, [-5, 10]])
def test_run_lengths_that_never_end(coco: Path, counts: Any) -> None:
    labels = coco_labels()
    labels["annotations"][3]["segmentation"] = {"counts": counts, "size": [60, 60]}
    write_json(coco / "labels.json", labels)
    assert judge(BY_OKS.split(), coco).kind != "fault"
    assert judge(["data", "check", "labels.json", "--quick"], coco).kind != "fault"


@pytest.mark.parametrize("shape", [(10**9, 16, 2), (4, 16, 2**40), (2**40,)])
def test_hdf5_that_declares_more_than_it_holds(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tompson_files(tmp_path)
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("preds", shape, "f8", chunks=(1,) * len(shape))
    refused(BY_JOINT.format("huge.h5"), tmp_path)


def test_an_image_of_huge_size_is_one_problem_of_a_whole_check(
    coco: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (coco / "images" / "1.png").write_bytes(large_png(60_000, 60_000))
    assert judge(["data", "check", "labels.json", "--images", "images"], coco).kind == "refused"
    for command in ("data leaks labels.json labels.json --images images", "data check images"):
        assert judge(command.split(), coco).kind != "fault"


class Harm:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickled_arrays_run_nothing(tmp_path: Path) -> None:
    tompson_files(tmp_path)
    harm = np.array([Harm(tmp_path / "harmed")], object)
    np.save(tmp_path / "preds.npy", harm, allow_pickle=True)
    np.savez(tmp_path / "preds.npz", preds=harm)
    (tmp_path / "preds.pkl").write_bytes(pickle.dumps({"preds": harm}))
    for name in ("preds.npy", "preds.npz", "preds.pkl"):
        refused(BY_JOINT.format(name), tmp_path)
    assert not (tmp_path / "harmed").exists()


def secret_image(folder: Path) -> Path:
    """An image beside the folder of images."""
    Image.new("RGB", (60, 60), (255, 0, 0)).save(folder / "secret.png")
    return folder / "secret.png"


def label_names(folder: Path, name: str) -> None:
    labels = coco_labels()
    for image in labels["images"]:
        image["file_name"] = name
    write_json(folder / "labels.json", labels)


COMPARE = "compare a=results.json b=results.json --annotations labels.json --out out --replicates 2"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "sub/../../secret.png",
        "{folder}/secret.png",
    ],
)
def test_no_image_outside_the_folder_is_shown(coco: Path, name: str) -> None:
    secret_image(coco)
    label_names(coco, name.format(folder=coco))
    _assert_not_shown(judge(f"{COMPARE} --images images".split(), coco), coco)


def test_an_image_outside_is_shown_where_the_user_permits_it(coco: Path) -> None:
    secret_image(coco)
    label_names(coco, "../secret.png")
    assert judge(f"{COMPARE} --images images --outside-images".split(), coco).kind != "fault"
    assert "data:image/jpeg" in (coco / "out" / "index.html").read_text()


def test_a_link_in_the_folder_ends_well(coco: Path) -> None:
    """A link in one's own folder is one's own choice; a name in somebody's file is not."""
    (coco / "images" / "link.png").symlink_to(secret_image(coco))
    label_names(coco, "link.png")
    assert judge(f"{COMPARE} --images images".split(), coco).kind != "fault"


def _assert_not_shown(verdict: Verdict, folder: Path) -> None:
    assert verdict.kind != "fault", verdict
    page = folder / "out" / "index.html"
    assert not page.exists() or "data:image/jpeg" not in page.read_text()


def test_names_are_text_on_the_page(coco: Path) -> None:
    script = "<script>alert(1)</script>"
    labels = coco_labels()
    labels["categories"][0]["keypoints"][0] = script
    labels["images"][0]["file_name"] = f"{script}.png"
    write_json(coco / "labels.json", labels)
    shutil.copy(coco / "results.json", coco / "other.json")
    words = f"compare {script}=results.json b=other.json --annotations labels.json --out out"
    verdict = judge(f"{words} --replicates 2 --images images".split(), coco)
    assert verdict.kind == "accepted", verdict
    assert script not in (coco / "out" / "index.html").read_text()
