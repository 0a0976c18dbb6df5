"""Every experiment composes, fits together, and names a figure only with a source."""

from __future__ import annotations

import shlex
from importlib import import_module
from pathlib import Path

import pytest
import torch

from poselab.experiments import build
from poselab.experiments.compose import compose
from poselab.experiments.configs import conf_folder, config_names, experiment_names
from poselab.skeletons import COCO17, LSP14, MPII16
from poselab.structures import InputError

EXPERIMENTS, ABLATIONS = experiment_names(), config_names("ablation")
SKELETON = dict.fromkeys(("bench", "coco", "overfit", "quickstart"), COCO17)
SKELETON |= {"mpii": MPII16, "lsp": LSP14}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_builds(name: str) -> None:
    config, choices = compose("train", [f"experiment={name}"])
    assert choices["experiment"] == name
    if "pretrained" in config.backbone:
        config.backbone.pretrained = False
    skeleton = SKELETON[name.split("/")[0]]
    with torch.device("meta"):
        module = build.module(config, skeleton)
    assert module.codec.channels % len(skeleton) == 0
    assert sum(p.numel() for p in module.parameters()) > 1e5


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n.split("/")[0] in ("coco", "mpii")])
def test_published_figures_carry_paper_and_grade(name: str) -> None:
    config, _ = compose("train", [f"experiment={name}"])
    figures = [key for key in config.published if key.startswith(("AP", "AR", "PCK"))]
    assert config.published.paper
    assert (config.published.grade == "V") == bool(figures)
    assert all(0 < config.published[key] < 100 for key in figures)


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_row_of_every_ablation_composes(name: str) -> None:
    ablation = compose("ablate", [f"ablation={name}"])[0].ablation
    assert ablation.question
    assert ablation.paper
    assert ablation.comparable
    assert len({row.label for row in ablation.rows}) == len(ablation.rows) > 1
    configs = [
        compose("train", [f"experiment={ablation.experiment}", *row.overrides])[0]
        for row in ablation.rows
    ]
    asked = {str([config[key] for key in ("method", "framing", "backbone")]) for config in configs}
    assert len(asked) == len(configs)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experimnt=quickstart/heatmap"], "experimnt"),
        (["method.codec.sigm=2"], "sigm"),
        (["method=heatmop"], "heatmop"),
        (["experiment=quickstart/nothing"], "nothing"),
        (["seed=[1"], "[1"),
        (["--config-dir", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_what_does_not_compose_is_said_in_one_sentence(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        compose("train", words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        *("data.batch_size=0", "data.batch_size=many", "data.workers=-1", "seed=x", "seed=-1"),
        *("trainer.max_epochs=0", "trainer.max_epochs=-1", "ema=2", "ema=yes"),
        *("framing.size=64", "framing.size=[64,64,3]", "framing.size=[0,64]", "framing.padding=0"),
    ],
)
def test_senseless_values_are_refused_at_once(wrong: str) -> None:
    with pytest.raises(InputError, match=rf"expected {wrong.partition('=')[0]} to be .*, got "):
        compose("train", [wrong])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["framing=whole_image"], "whole"),
        (
            ["experiment=quickstart/bottom_up", "framing=person_crop", "framing.size=[128,128]"],
            "crop",
        ),
        (["method=associative_embedding", "framing=whole_image"], "one person"),
        (
            ["module=single_person", "method.module=poselab.modules.DirectRegression"],
            "CoordinateCodec",
        ),
        (["method.codec.decoder=darker"], "darker"),
        (["framing.pixels=middle"], "middle"),
        (["schedule=step", "schedule.milestones=[90,120]"], "fractions"),
        (["backbone=resnet18", "backbone.pretrained=false", "backbone.name=resnet19"], "resnet18"),
    ],
)
def test_impossible_pairs_are_refused_before_training(words: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        build.module(compose("train", words)[0], COCO17)
    assert said.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_a_folder_of_ones_own_configs_is_found(tmp_path: Path) -> None:
    tmp_path = tmp_path / "my own, Jo's {1} [conf]"
    (tmp_path / "experiment" / "mine").mkdir(parents=True)
    (tmp_path / "experiment" / "mine" / "small.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /method: direct\nseed: 7\n"
    )
    for flag in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"]):
        config, _ = compose("train", [*flag, "experiment=mine/small"])
        assert config.seed == 7
        assert "DirectRegression" in config.method.module


@pytest.mark.parametrize("name", ["train", "ablate"])
def test_the_examples_of_the_help_compose(name: str) -> None:
    text = import_module(f"poselab.cli.{name}")._HELP
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("  poselab")]
    # Not a plugin that nobody has, a sweep, or a run that is not there.
    unfit = ("hydra/launcher=joblib", "--multirun", "resume=")
    examples = [line[2:] for line in lines if not any(u in " ".join(line) for u in unfit)]
    assert len(examples) >= 2
    for words in examples:
        compose(name, words)


def test_ablation_overrides_as_its_config_shows_them() -> None:
    text = (conf_folder() / "ablate.yaml").read_text()
    (example,) = [line.split("e.g. ")[1] for line in text.splitlines() if "e.g. " in line]
    config, _ = compose("ablate", ["ablation=heatmap/sigma", *shlex.split(example)])
    assert len(config.overrides) == 2


@pytest.mark.parametrize(
    ("words", "least"),
    [
        ("experiment=coco/heatmap_r50_256x192", 0.2),
        ("experiment=coco/simcc_r50_64x64", 0.02),
        ("experiment=coco/simcc_r50_256x192", 0.01),
        ("experiment=coco/simcc_r50_64x64 postprocess.keypoint_threshold=0.1", 0.1),
        ("experiment=coco/rtmpose_s_256x192", 0.2),
    ],
)
def test_a_method_may_say_which_keypoints_make_a_score(words: str, least: float) -> None:
    """The likeliest of hundreds of bins never reaches the 0.2 that suits heatmaps."""
    config, _ = compose("train", [*words.split(), "backbone=tiny"])
    with torch.device("meta"):
        assert build.module(config, COCO17).postprocess.keypoint_threshold == least
