"""Experiments of somebody else, by --config-dir: they build only what is allowed, and do not
change how Hydra runs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from poselab.experiments import build
from poselab.experiments.config.compose import compose, hand_to_hydra
from poselab.experiments.config.trust import trusting
from poselab.structures import InputError

GLOBAL = "# @package _global_\n"
HARM = "{_target_: pathlib.Path.touch, self: harmed}"
SETTINGS = {
    "callbacks": (f"{GLOBAL}hydra: {{callbacks: {{x: {HARM}}}}}\n", "callbacks.x."),
    "logging": (
        f"{GLOBAL}hydra: {{job_logging: {{version: 1, handlers: {{x: {{class: evil}}}}}}}}\n",
        "job_logging.handlers.x.class",
    ),
    "environment": (f"{GLOBAL}hydra: {{job: {{env_set: {{EVIL: x}}}}}}\n", "job.env_set.EVIL"),
    "folder": (f"{GLOBAL}hydra: {{sweep: {{dir: /tmp/harmed}}}}\n", "sweep.dir"),
    "launcher": (f"{GLOBAL}hydra: {{launcher: {{_target_: os.system}}}}\n", "launcher._target_"),
    "package": (f"# @package hydra.callbacks.x\n{HARM}\n", "callbacks.x."),
    "group": (
        f"{GLOBAL}defaults:\n  - override /hydra/callbacks: evil\n",
        "callbacks.x.",
    ),
    "elsewhere": (f"{GLOBAL}defaults:\n  - /part@hydra.callbacks.x: evil\n", "callbacks.x."),
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of configs; afterwards nothing of what they ask for is done."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    for name, text in {
        "experiment/good.yaml": f"{GLOBAL}seed: 3\n",
        "hydra/callbacks/evil.yaml": f"x: {HARM}\n",
        "part/evil.yaml": f"{HARM}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def sweep(own: Path, *words: str) -> list[int]:
    """The seeds of the runs that Hydra starts."""
    seeds: list[int] = []

    def task(config: DictConfig) -> None:
        seeds.append(int(config.seed))

    hand_to_hydra("train", [*words, "--config-dir", str(own), "--multirun"], task)
    return seeds


@pytest.mark.parametrize("case", SETTINGS)
def test_an_experiment_does_not_change_how_hydra_runs(case: str, own: Path) -> None:
    text, key = SETTINGS[case]
    (own / "experiment" / "evil.yaml").write_text(text)
    with pytest.raises(InputError, match=rf"settings of Hydra.* got hydra\.{re.escape(key)}"):
        sweep(own, "experiment=evil")
    assert not (own.parent / "harmed").exists()
    assert "EVIL" not in os.environ


def test_the_rows_of_a_suite_do_not_either(own: Path) -> None:
    (own / "suite").mkdir()
    (own / "suite" / "mine.yaml").write_text('rows:\n  evil: {"hydra.job.env_set.EVIL": "x"}\n')
    with pytest.raises(InputError, match=r"got hydra\.job\.env_set\.EVIL"):
        sweep(own, "experiment=mine/evil")


def test_no_experiment_of_a_sweep_does(own: Path) -> None:
    (own / "experiment" / "evil.yaml").write_text(SETTINGS["environment"][0])
    with pytest.raises(InputError, match=r"got hydra\.job\.env_set\.EVIL"):
        sweep(own, "experiment=good,evil")
    assert "EVIL" not in os.environ


def test_words_of_the_command_do(own: Path) -> None:
    words = ["+hydra.job.env_set.MINE=x", "hydra.sweep.dir=mine"]
    assert sweep(own, "experiment=good", *words) == [3]


def test_an_experiment_names_only_what_is_allowed(own: Path) -> None:
    evil = f"{GLOBAL}method: {{loss: {{_target_: os.system, command: touch harmed}}}}\n"
    (own / "experiment" / "evil.yaml").write_text(evil)
    config, _ = compose("train", ["experiment=evil", "--config-dir", str(own)])
    with pytest.raises(InputError, match=r"method\.loss\._target_ .* trust=os"):
        build.instantiate_section(config, "method")
    augment = f"{GLOBAL}augment: {{pixels: [{HARM}]}}\n"
    (own / "experiment" / "evil2.yaml").write_text(augment)
    with pytest.raises(InputError, match=r"augment\.pixels\.0\._target_"):
        compose("train", ["experiment=evil2", "--config-dir", str(own)])
    with trusting("albumentations"):
        (own / "experiment" / "mine.yaml").write_text(augment.replace(HARM, _spatter()))
        compose("train", ["experiment=mine", "--config-dir", str(own)])


def _spatter() -> Any:
    return "{_target_: albumentations.Spatter}"


@pytest.mark.parametrize("name", ["experiment/bomb", "suite/bomb", "ablation/bomb", "method/bomb"])
def test_aliases_are_counted_before_anything_is_composed(name: str, own: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    (own / name).parent.mkdir(exist_ok=True)
    (own / f"{name}.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="at most 200000 values"):
        compose("train", ["experiment=good", "--config-dir", str(own)])
