"""`poselab list` is complete, fast, and readable by other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from poselab import cli
from poselab.experiments.config.listing import KINDS, listing
from poselab.experiments.config.names import config_names, experiment_names, suite_names
from poselab.structures import InputError


def test_experiments_come_with_what_is_known_of_them() -> None:
    rows = {row["experiment"]: row for row in listing("experiments")}
    assert list(rows) == experiment_names()
    heatmap = rows["coco/heatmap_r50_256x192"]
    assert heatmap["paper"].startswith("Xiao, Wu and Wei 2018")
    assert heatmap["published"]["AP"] == 70.4
    assert (heatmap["input"], heatmap["data"]) == ([256, 192], "coco")
    assert abs(heatmap["parameters"] - 34.0e6) < 1e5
    assert rows["quickstart/direct"]["published"] == {}
    assert rows["quickstart/direct"]["data"] == "generated"


@pytest.mark.parametrize(
    ("pattern", "count"), [("coco/*rle*", 6), ("rle_r1", 3), ("*_w48_384x288", 5), ("", 149)]
)
def test_a_pattern_chooses(pattern: str, count: int) -> None:
    assert len(listing("experiments", pattern)) == count


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_rows_of_equal_columns(kind: str) -> None:
    rows = listing(kind)
    of_one_row = 2 if kind == "settings" else 1  # an experiment has many settings
    names = [tuple(row.values())[:of_one_row] for row in rows]
    assert len(set(names)) == len(names) > 1
    assert len({tuple(row) for row in rows}) == 1


def test_names_are_the_options_of_the_command_line() -> None:
    for kind, names in (
        ("methods", config_names("method")),
        ("backbones", config_names("backbone")),
        ("ablations", config_names("ablation")),
        ("suites", suite_names()),
    ):
        assert [next(iter(row.values())) for row in listing(kind)] == names


@pytest.mark.parametrize("kind", ["methods", "backbones", "suites"])
def test_every_option_says_what_it_is(kind: str) -> None:
    assert [row for row in listing(kind) if not row["about"]] == []


def test_configs_of_the_user_are_listed(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "mine.yaml").write_text(
        "rows:\n  a: {recipe: keypoint_rcnn, data: coco}\n  b: {framing.size: [64, 48]}\n"
    )
    (tmp_path / "experiment" / "mine").mkdir(parents=True)
    (tmp_path / "experiment" / "mine" / "c.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /data: mpii\n\nframing: {size: [96, 96]}\n"
    )
    rows = listing("experiments", "mine/", [tmp_path])
    assert [row["input"] for row in rows] == [[1344, 1344], [64, 48], [96, 96]]
    assert [row["data"] for row in rows] == ["coco", "generated", "mpii"]
    assert {row["parameters"] for row in rows} == {None}


def test_settings_of_the_authors_stand_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {r["setting"]: r for r in listing("settings", "coco/hrnet_w48_384x288")}
    assert rows["total batch"]["theirs"] == 96
    assert (rows["schedule.milestones"]["theirs"], rows["optimizer.lr"]["theirs"]) == (
        [170, 200],
        0.001,
    )
    assert "deep-high-resolution-net" in rows["code"]["theirs"]
    assert cli.main(["list", "settings", "coco/cpn_r50_256x192"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["experiment", "setting", "theirs", "ours"]
    assert ["optimizer.lr", "0.0005", "equal"] in [line.split()[1:] for line in lines]


def test_no_match_is_an_error_that_helps() -> None:
    with pytest.raises(InputError, match="got 'nothing', which no ablations match"):
        listing("ablations", "nothing")


def test_the_command_prints_columns_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "experiments", "coco/rle_r50*"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["experiment", "paper", "published", "input", "parameters", "data"]
    assert row.split("  ")[0] == "coco/rle_r50_256x192"
    for part in ("Li et al. 2021", "AP 70.5", "256x192", "23.70 M", "coco"):
        assert part in row
    assert cli.main(["list", "experiments", "coco/rle_r50*", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["published"] == {"AP": 70.5, "AP50": 88.5, "AP75": 77.4}


def test_experiments_are_listed_without_torch_or_hydra() -> None:
    code = (
        "import sys; from poselab import cli; cli.main(['list', 'experiments', 'coco']); "
        "sys.exit(bool({'torch', 'hydra', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
