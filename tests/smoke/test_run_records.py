"""A run's records that somebody has changed end in one sentence wherever they are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import poselab
from poselab import cli
from poselab.evaluation.run_record import read_metrics_record, read_run_record, recorded
from poselab.experiments import runs
from poselab.structures import InputError

BROKEN = [
    *("null", "[]", "3", '"text"', "", "{", '{"state": 1}', '{"seconds": "long"}', '{"data": []}'),
    *('{"data": {"val": null}}', '{"data": {"val": {"fingerprint": 3}}}', '{"comparability": 3}'),
    *('{"annotation_options": []}', '{"cost": {"gmacs": "many"}}', '{"seconds": true}'),
]


@pytest.mark.parametrize("text", BROKEN)
def test_broken_records_are_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"^expected .*run\.json"):
        read_run_record(tmp_path / "run.json")
    for reader in (runs.read_manifest, runs.load_run, runs.seconds_trained, poselab.resume):
        with pytest.raises(InputError, match=r"run\.json"):
            reader(tmp_path)


@pytest.mark.parametrize("text", ["null", "[]", '{"AP": "good"}', '{"interval": 3}'])
def test_broken_metrics_are_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"^expected .*metrics\.json"):
        read_metrics_record(tmp_path / "metrics.json")


def test_nulls_are_missing(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "finished", "cost": null}')
    record = read_run_record(tmp_path / "run.json")
    assert record == {"state": "finished"}
    with pytest.raises(InputError, match="expected cost in"):
        recorded(record, "cost", tmp_path / "run.json")


@pytest.mark.parametrize("change", [{"comparability": 3}, {"state": []}, {"data": {"val": 3}}])
def test_commands_on_a_changed_run(
    change: Any, run: Path, instances: Path, tmp_path: Path, capsys: Any
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **change}))
    truth = str(instances / "annotations" / "person_keypoints_val2017.json")
    for words in (
        ["evaluate", str(folder), "--annotations", truth],
        ["compare", str(folder), "--annotations", truth, "--out", str(tmp_path / "out")],
        ["report", str(folder)],
        ["train", f"resume={folder}"],
    ):
        capsys.readouterr()
        assert cli.main(words) == 1
        err = capsys.readouterr().err
        assert "run.json to be" in err or "object of a run's values in" in err
        assert err.count("\n") == 1
