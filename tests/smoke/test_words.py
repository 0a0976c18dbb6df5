"""Wrong words of any command end in one sentence, before any work and without a trace."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow import words

from poselab import cli
from poselab.experiments.api import override_words
from poselab.experiments.config.compose import compose
from poselab.experiments.config.overrides import override_value, quoted, with_quotes
from poselab.io.folders import check_output_file, check_output_folder, only_writer
from poselab.structures import InputError

LONG = "x" * 5000
WRONG = {
    "whole_number": ["-1", "nan", "x", "", "1.5", "1" * 5000],
    "finite_number": ["nan", "inf", "-1e999", "x", ""],
    "path": ["", "a\0b", LONG],
    "output_file": ["", "a\0b", LONG, "/", "/dev/null/x"],
    "output_folder": ["", "a\0b", LONG, "/dev/null", "/dev/null/x"],
}
"""Words that an option refuses, by its type."""


def wrong_words(action: Any) -> list[str]:
    return ["nothing", "", LONG] if action.choices else WRONG.get(action.type.__name__, [])


def wrong_calls(command: str) -> Iterator[list[str]]:
    """The command with one wrong word each; no other word names anything that is there."""
    name = command.replace(" ", "_").replace("-", "_")
    parser = importlib.import_module(f"poselab.cli.{name}").parser()
    actions = [action for action in parser._actions if action.nargs != 0]
    for action in actions:
        for word in wrong_words(action) if action.type or action.choices else []:
            given = command.split()
            for other in actions:
                value = word if other is action else "nowhere"
                if other.option_strings and (other is action or other.required):
                    given.append(f"{other.option_strings[0]}={value}")
                elif not other.option_strings and (other is action or other.nargs in (None, "+")):
                    given.append(value)
            yield given


OVERRIDES = ("train", "check", "report", "suite", "ablate")
"""Commands whose words are overrides of a config."""


@pytest.mark.parametrize("command", [c for c in cli.COMMANDS if c not in OVERRIDES])
def test_wrong_options(
    command: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in wrong_calls(command):
        assert cli.main(given) == 2, given
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"poselab {command}: ")
        assert printed.err.count("\n") == 1
        assert len(printed.err) < 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("seed=4294967296", "seed to be a whole number from 0 to 4,294,967,295, got 4294967296"),
        ("seed=1e30", "seed to be a whole number"),
        ("seed=0,1", "expected one value of seed, got '0,1'; --multirun makes a run of each"),
        ("seed=[1", "expected KEY=VALUE with closed brackets and quotes, got 'seed=[1'"),
        (f"seed={LONG}", "seed to be a whole number"),
        ("report={replicates: -1}", "report.replicates to be a whole number from 0 to 100,000"),
        ("report=5", "expected report to be null or a section, got 5"),
        ("folder=", "expected folder to be the path of a folder, got ''"),
        ("folder=/dev/null/x", "expected a folder to write to at /dev/null/x"),
        (f"folder={LONG}", "File name too long"),
        ("data.sources.root=a\0b", "a\0b"),
    ],
)
def test_wrong_overrides(
    change: str, sentence: str, instances: Path, tmp_path: Path, capsys: Any
) -> None:
    assert cli.main(words(instances, tmp_path / "run", change)) == 1
    err = capsys.readouterr().err
    assert sentence in err
    assert err.startswith("poselab train: expected ")
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [["evaluate", "\udcff"], ["train", "seed=\udcff"], ["\udcff"]])
def test_words_that_are_not_utf_8(given: list[str], capsys: Any) -> None:
    assert cli.main(given) == 2
    assert "expected words in UTF-8, got " in capsys.readouterr().err


PLACES = [
    "/data/a=b",
    "/data/a (1)",
    "/data/#1",
    "/données/é",
    "a'b",
    "a\\b",
    "C:\\",
    "/a b",
    "a;b",
]


@pytest.mark.parametrize("place", PLACES)
def test_any_path_is_a_value(place: str) -> None:
    for word in (f"runs={place}", f"runs={quoted(place)}", *override_words({"runs": place})):
        assert override_value(word) == override_value(with_quotes(word)) == place


def test_composing_quotes_values() -> None:
    assert compose("train", ["runs=/données/a=b (1)#2"])[0].runs == "/données/a=b (1)#2"


def test_an_output_is_checked_without_a_trace(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "a" / "b")
    check_output_file(tmp_path / "a" / "b.json")
    check_output_file(Path("/dev/null"))
    folder = tmp_path / "a" / "b"
    with (
        only_writer(folder),
        pytest.raises(InputError, match="no other process"),
        only_writer(folder),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file", tmp_path / "file" / "b", tmp_path / LONG):
        with pytest.raises(InputError, match="expected a folder to write to"):
            check_output_folder(wrong)
    with pytest.raises(InputError, match="got the folder"):
        check_output_file(tmp_path)
