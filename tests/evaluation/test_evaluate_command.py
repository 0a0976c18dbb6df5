"""``poselab evaluate`` as a command: tables, JSON, warnings and exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from poselab.cli import main
from poselab.skeletons import COCO17

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ground truth of six people in three images and perfect predictions: arguments, records."""
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    instances, found = [], []
    for number in range(6):
        points = np.column_stack([rng.uniform(10, 200, (17, 2)).round(2), np.full(17, 2)])
        person = {"image_id": number // 2 + 1, "category_id": 1}
        keypoints = points.ravel().tolist()
        instances.append(
            person
            | {"id": number + 1, "bbox": [10, 10, 190, 190], "area": 15000.0, "iscrowd": 0}
            | {"keypoints": keypoints, "num_keypoints": 17}
        )
        found.append(person | {"keypoints": keypoints, "score": 0.9, "annotation_id": number + 1})
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 240, "width": 320} for n in (1, 2, 3)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": []}
    ground_truth = {"images": images, "annotations": instances, "categories": [category]}
    (tmp_path / "ground_truth.json").write_text(json.dumps(ground_truth))
    (tmp_path / "found.json").write_text(json.dumps(found))
    words = ["evaluate", str(tmp_path / "found.json")]
    words += ["--annotations", str(tmp_path / "ground_truth.json")]
    return {"words": words, "found": found, "folder": tmp_path}


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
def test_table_and_json(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    out = files["folder"] / "new" / "metrics.json"
    assert main([*files["words"], "--engine", engine, "--json", str(out)]) == 0
    said = capsys.readouterr()
    assert "AP50" in said.out
    assert "100.000" in said.out
    assert "6 people in 3 images of ground_truth.json" in said.out
    assert said.err == ""
    record = json.loads(out.read_text())
    assert (record["AP"], record["APM"]) == (1.0, None)
    assert record["comparability"]["engine"] == engine
    assert record["comparability"]["annotations"] == "ground_truth.json"


def test_pck(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files["words"], "--metric", "pck"]) == 0
    assert "PCK@0.2/ankle" in capsys.readouterr().out


def test_predictions_without_ids_are_matched_by_oks(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A surplus pose stays unmatched; without --match none can be scored."""
    for record in files["found"]:
        del record["annotation_id"]
    path, out = files["folder"] / "found.json", files["folder"] / "m.json"
    path.write_text(json.dumps([*files["found"], files["found"][0]]))
    words = [*files["words"], "--metric", "pck", "--json", str(out)]
    assert main(words) == 1
    assert "--match best_oks" in capsys.readouterr().err
    assert main([*words, "--match", "best_oks"]) == 0
    record = json.loads(out.read_text())
    assert record["PCK@0.2"] == 1
    assert record["comparability"]["match"] == "best_oks"
    assert main([*words, "--match", "nearest"]) == 2


def test_warnings_go_to_stderr(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    records = [record | {"score": 7.0} for record in files["found"][:5]]
    (files["folder"] / "found.json").write_text(json.dumps(records))
    assert main([*files["words"], "--metric", "pck"]) == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: 1 labelled people have no prediction")
    assert main(files["words"]) == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: 5 scores lie outside")


def test_replicates_give_confidence_intervals(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """One pose of six is far off: replicates without it have AP 1, others less."""
    records = files["found"]
    records[0]["keypoints"] = [9000.0, 9000.0, 1.0] * 17
    (files["folder"] / "found.json").write_text(json.dumps(records))
    out = files["folder"] / "metrics.json"
    assert main([*files["words"], "--replicates", "50", "--json", str(out)]) == 0
    record = json.loads(out.read_text())
    low, high = record["interval"]["AP"]
    assert low < record["AP"] < high == 1.0
    assert record["comparability"]["interval"]["replicates"] == 50
    assert f"{100 * low:.3f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_id": 99}, "expected image ids of"),
        ({"keypoints": [1.0, 2.0, 0.5]}, "keypoints"),
        ({"annotation_id": 99}, ""),
    ],
)
def test_bad_predictions_fail_in_one_line(
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    sentence: str,
) -> None:
    records = [record | change for record in files["found"]]
    (files["folder"] / "found.json").write_text(json.dumps(records))
    metric = "oks" if sentence else "pck"
    assert main([*files["words"], "--metric", metric]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("poselab evaluate: expected ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_missing_files_and_wrong_metric_for_the_labels(files: dict[str, Any]) -> None:
    words = files["words"]
    assert main([words[0], "nowhere.json", *words[2:]]) == 1
    assert main([words[0], "nowhere.mat", *words[2:]]) == 1
    assert main([*words[:3], "nowhere.json"]) == 1
    assert main([*words, "--metric", "pckh"]) == 1


def test_usage_errors_exit_with_status_2(files: dict[str, Any]) -> None:
    assert main(["evaluate"]) == 2
    assert main([*files["words"], "--metric", "mota"]) == 2
    assert main([*files["words"], "--engine", "fast"]) == 2
    assert main(["evaluate", "--help"]) == 0


def test_an_unwritable_json_fails(files: dict[str, Any]) -> None:
    (files["folder"] / "file").write_text("")
    assert main([*files["words"], "--json", str(files["folder"] / "file" / "m.json")]) == 2


def test_nothing_heavy_is_imported(files: dict[str, Any]) -> None:
    script = (
        "import sys; from poselab.cli import main; main(sys.argv[1:]);"
        "heavy = {'torch', 'scipy', 'cv2', 'matplotlib', 'h5py', 'albumentations', 'hydra'};"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *files["words"]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_results_may_use_the_category_id_of_the_annotations(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels of category 7: results of 7 are meant for them, those of 1 are ours, others wrong."""
    ground_truth, found = (files["folder"] / name for name in ("ground_truth.json", "found.json"))
    content = json.loads(ground_truth.read_text())
    content["categories"][0]["id"] = 7
    for person in content["annotations"]:
        person["category_id"] = 7
    ground_truth.write_text(json.dumps(content))
    for category, status in ((7, 0), (1, 0), (2, 1)):
        found.write_text(json.dumps([r | {"category_id": category} for r in files["found"]]))
        assert main(files["words"]) == status
    assert "expected category_id 7" in capsys.readouterr().err


def test_a_negative_number_of_replicates_fails(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files["words"], "--replicates", "-1"]) == 2
    assert "a whole number from 0 to 100,000, got -1" in capsys.readouterr().err


def test_an_array_of_poses(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """It scores as the records do, and how it was read is printed and recorded."""
    poses = np.array([record["keypoints"] for record in files["found"]]).reshape(6, 17, 3)
    np.save(files["folder"] / "poses.npy", poses[..., :2].transpose(2, 0, 1) + 1)
    words = ["evaluate", str(files["folder"] / "poses.npy"), *files["words"][2:]]
    out = files["folder"] / "metrics.json"
    assert main([*words, "--metric", "pck", "--json", str(out)]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert "`array` is read with axes 2,N,K, one pose for each of 6 people" in notes[0]
    assert "pixels count from 1" in notes[1]
    record = json.loads(out.read_text())
    assert record["PCK@0.2"] == 1.0
    assert record["comparability"]["read_as"] == [note.removeprefix("note: ") for note in notes]
    assert main([*words, "--axes", "N,K,2"]) == 1
    assert "poselab evaluate: expected 6 poses of 17 keypoints" in capsys.readouterr().err
    assert main([*words, "--origin", "2"]) == 2
