"""``poselab compare``: tables in every format, marks and errors."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselab.cli import main
from poselab.cli.compare import named_paths
from poselab.structures import InputError


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Forty images of two people: labels, and results with a little and with much noise."""
    monkeypatch.setenv("POSELAB_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    labels = rng.uniform(0, 100, (80, 17, 2)) + np.tile([[0], [300]], (40, 1))[:, None]
    instances = [
        {
            "id": n + 1,
            "image_id": n // 2 + 1,
            "category_id": 1,
            "keypoints": np.column_stack([points, np.full(17, 2)]).ravel().tolist(),
            "num_keypoints": 17,
            "bbox": [*points.min(axis=0).tolist(), 100.0, 100.0],
            "area": 8000.0,
            "iscrowd": 0,
        }
        for n, points in enumerate(labels)
    ]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(1, 41)]
    ground_truth = {
        "images": images,
        "annotations": instances,
        "categories": [{"id": 1, "name": "person"}],
    }
    made = {"ground_truth": tmp_path / "ground_truth.json"}
    made["ground_truth"].write_text(json.dumps(ground_truth))
    for name, noise in (("fine", 2.0), ("coarse", 5.0), ("alike", 2.0)):
        made[name] = tmp_path / f"{name}.json"
        made[name].write_text(json.dumps(results(labels, noise, np.random.default_rng(len(name)))))
    return made


def results(labels: Any, noise: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "image_id": n // 2 + 1,
            "category_id": 1,
            "keypoints": np.column_stack([points + rng.normal(0, noise, points.shape), np.ones(17)])
            .ravel()
            .tolist(),
            "score": float(rng.random()),
        }
        for n, points in enumerate(labels)
    ]


def compare(files: dict[str, Path], *words: str) -> int:
    out = files["ground_truth"].parent / "out"
    ends = ["--annotations", str(files["ground_truth"]), "--out", str(out), "--replicates", "60"]
    return main(["compare", *ends, *words])


def test_tables_in_every_format_agree(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(files, *(str(files[name]) for name in ("coarse", "fine"))) == 0
    out = files["ground_truth"].parent / "out"
    record = json.loads((out / "comparison.json").read_text())
    assert [method["name"] for method in record["methods"]] == ["fine", "coarse"]
    best = record["methods"][0]["metrics"]["AP"]
    assert best["interval"][0] < best["value"] < best["interval"][1]
    with (out / "metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert float(rows[0]["value"]) == best["value"]
    printed = f"{100 * best['value']:.1f}"
    for text in (
        (out / "table.md").read_text(),
        (out / "table.tex").read_text(),
        capsys.readouterr().out,
    ):
        assert printed in text
        assert "Minimum detectable difference" in text


def test_values_are_those_of_evaluate(files: dict[str, Path], tmp_path: Path) -> None:
    assert compare(files, str(files["fine"]), str(files["coarse"])) == 0
    single = tmp_path / "single.json"
    words = ["evaluate", str(files["coarse"]), "--annotations", str(files["ground_truth"])]
    assert main([*words, "--json", str(single)]) == 0
    record = json.loads((tmp_path / "out" / "comparison.json").read_text())
    metrics = record["methods"][1]["metrics"]
    alone = json.loads(single.read_text())
    assert {key: alone[key] for key in metrics} == {k: v["value"] for k, v in metrics.items()}


def test_a_file_without_poses_can_be_compared(files: dict[str, Path]) -> None:
    nobody = files["ground_truth"].parent / "nobody.json"
    nobody.write_text("[]")
    assert compare(files, str(files["fine"]), str(nobody)) == 0
    out = files["ground_truth"].parent / "out"
    last = json.loads((out / "comparison.json").read_text())["methods"][-1]
    assert (last["name"], last["metrics"]["AP"]["value"]) == ("nobody", 0.0)
    assert "nobody" in (out / "index.html").read_text()


def test_methods_not_significantly_different_from_the_best_are_marked(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(files, *(str(files[name]) for name in ("fine", "alike", "coarse"))) == 0
    (record,) = (
        json.loads(file.read_text())
        for file in (files["ground_truth"].parent / "out").glob("comparison.json")
    )
    p = {(pair["first"], pair["second"]): pair["p_corrected"] for pair in record["pairs"]}
    best, second = (method["name"] for method in record["methods"][:2])
    assert {best, second} == {"fine", "alike"}
    assert p[best, second] > 0.05
    assert p[best, "coarse"] < 1e-6  # no replicate crosses zero, and the normal tail is small
    printed = capsys.readouterr().out
    assert f"{second} †" in printed


def test_seeds_of_a_method_are_one_row(files: dict[str, Path]) -> None:
    assert compare(files, f"ours={files['fine']},{files['alike']}", f"old={files['coarse']}") == 0
    record = json.loads((files["ground_truth"].parent / "out" / "comparison.json").read_text())
    ours = record["methods"][0]
    assert ours["name"] == "ours"
    assert len(ours["files"]) == 2
    assert "| ours |" in (files["ground_truth"].parent / "out" / "table.md").read_text()


def test_incomparable_methods_are_marked_with_the_reason(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs differ in the flip test; a file of another project has no record."""
    words = []
    for name, flipped in (("fine", True), ("coarse", False)):
        folder = files["ground_truth"].parent / "runs" / name
        (folder / "predictions").mkdir(parents=True)
        (folder / "predictions" / "val.json").write_bytes(files[name].read_bytes())
        conditions = {"boxes": {"kind": "labelled"}, "flip_test": flipped, "input_size": [8, 6]}
        (folder / "run.json").write_text(json.dumps({"comparability": conditions}))
        words.append(str(folder))
    assert compare(files, *words, str(files["alike"])) == 0
    printed = capsys.readouterr().out
    assert "coarse ‡" in printed
    assert "flip test: off vs. on" in printed
    assert "alike: the predictions file does not record its boxes" in printed
    assert printed.count("‡") == 2
    record = json.loads((files["ground_truth"].parent / "out" / "comparison.json").read_text())
    comparability_records = {
        method["name"]: method["comparability"] for method in record["methods"]
    }
    assert comparability_records["coarse"]["run"]["flip_test"] is False


def test_methods_are_named_by_their_paths_or_the_user() -> None:
    assert list(named_paths(["a/x.json", "b/x.json", "y.json"])) == ["a/x", "b/x", "y"]
    assert named_paths(["m=p.json,q.json"]) == {"m": [Path("p.json"), Path("q.json")]}
    assert list(named_paths(["runs/one", "runs/two"])) == ["one", "two"]
    for words in (["a=x.json", "a=y.json"], ["=x.json"], ["a="], ["x.json", "x.json"]):
        with pytest.raises(InputError, match="methods of different names"):
            named_paths(words)


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["absent.json"], 1, "expected predictions at absent.json, found no such file"),
        (["{fine}", "--replicates", "0"], 2, "a whole number from 1 to 100,000, got 0"),
        (["{fine}", "{fine}"], 1, "expected methods of different names"),
        (["{fine}", "--metric", "pckh"], 1, "expected head boxes"),
        (["{fine}", "--metric", "os.path.joint"], 1, "got 'os.path.joint' (\"module"),
        (["{fine}", "--metric", "collections.OrderedDict"], 1, "no primary_metric"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    sentence: str,
) -> None:
    out = str(files["ground_truth"].parent / "out")
    filled = [word.format(**files) for word in words]
    given = ["compare", "--annotations", str(files["ground_truth"]), "--out", out, *filled]
    assert main(given) == status
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert sentence in said
    assert not Path(out).exists()
