"""Every experiment composes and fits together, values have sources, nothing is typed twice."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from copy import deepcopy
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from poselab.experiments import build
from poselab.experiments.config.authors import authors_of_experiments, other_settings
from poselab.experiments.config.compose import compose
from poselab.experiments.config.names import (
    conf_folder,
    config_names,
    experiment_names,
    suite_names,
    suite_rows,
)
from poselab.experiments.config.published import metric_values, parameter_counts, published_values
from poselab.skeletons import COCO17, LSP14, MPII16
from poselab.structures import InputError

EXPERIMENTS, ABLATIONS = experiment_names(), config_names("ablation")
PUBLISHED = [name for name in EXPERIMENTS if name.split("/")[0] in ("coco", "mpii")]
SKELETON = dict.fromkeys(("bench", "coco", "overfit", "quickstart"), COCO17)
SKELETON |= {"mpii": MPII16, "lsp": LSP14}


@cache
def composed(experiment: str) -> DictConfig:
    return compose("train", [f"experiment={experiment}"])[0]


def test_experiments_keep_their_names() -> None:
    """Papers, runs and imported weights refer to them; new ones may join."""
    kept = (Path(__file__).parent / "experiment_names.txt").read_text().split()
    assert set(kept) <= set(EXPERIMENTS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_builds(name: str) -> None:
    config = deepcopy(composed(name))
    assert config.published == published_values().get(name, {})
    height, width = config.framing.size
    named = re.search(r"_(\d+)x(\d+)$", name)
    assert named is None or named.groups() == (str(height), str(width))
    if "pretrained" in config.backbone:
        config.backbone.pretrained = False
    skeleton = SKELETON[name.split("/")[0]]
    with torch.device("meta"):
        module = build.module(config, skeleton)
    assert module.codec.channels % len(skeleton) == 0
    assert sum(p.numel() for p in module.parameters()) == parameter_counts()[name]


def test_the_table_of_parameters_holds_every_experiment() -> None:
    assert list(parameter_counts()) == EXPERIMENTS
    assert min(parameter_counts().values()) > 1e5


def test_suites_hold_all_experiments() -> None:
    rows = [name for suite in suite_names() for name in suite_rows(suite)]
    assert sorted(rows) == EXPERIMENTS


def test_published_values_belong_to_experiments() -> None:
    assert sorted(published_values()) == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values_carry_paper_and_source(name: str) -> None:
    published = published_values()[name]
    values = metric_values(published)
    assert published["paper"]
    assert published["verified"] == bool(values) == ("note" not in published)
    assert all(0 < value < 100 for value in values.values())
    if name.startswith("coco/") and values:
        whole_images = name.split("_")[0] in ("coco/ae", "coco/higher", "coco/keypoint")
        assert ("boxes" in published) != whole_images


@pytest.mark.parametrize("name", authors_of_experiments())
def test_recipes_differ_from_their_authors_where_they_declare_it(name: str) -> None:
    """A recipe that drifts fails, and so does a declared difference that is none."""
    authors = authors_of_experiments()[name]
    others = {
        s.key: f"{s.ours}, theirs {s.theirs}" for s in other_settings(authors, composed(name))
    }
    assert {key: others.get(key) for key in authors.differs} == others


def test_published_values_have_their_authors_settings() -> None:
    """Only the recipe behind the value of eight hourglasses on COCO is not known."""
    verified = {name for name, row in published_values().items() if row["verified"]}
    assert verified - set(authors_of_experiments()) == {"coco/hourglass8_256x192"}
    for authors in authors_of_experiments().values():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+ at [0-9a-f]{7}, \S+", authors.source)
        assert {"optimizer.lr", "trainer.max_epochs", "trainer.precision"} <= set(authors.settings)


def test_no_line_is_repeated_for_its_own_sake() -> None:
    """What many files share stands in one that they name; the rest is grammar."""
    grammar = ("defaults:", "rows:", "- _self_", "_partial_: true", "_convert_: all", "# @package")
    places = defaultdict(set)
    for file in conf_folder().rglob("*.yaml"):
        for line in map(str.strip, file.read_text().splitlines()):
            if line.endswith(":") or line.startswith(grammar) or re.fullmatch(r"- \w+", line):
                continue
            places[line].add(file)
    often = {line: len(files) for line, files in places.items() if line and len(files) > 6}
    assert not often


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
def test_what_does_not_compose_raises_one_sentence(words: list[str], said: str) -> None:
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
def test_senseless_values_raise_at_once(wrong: str) -> None:
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
def test_impossible_pairs_raise_before_training(words: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        build.module(compose("train", words)[0], COCO17)
    assert said.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_a_folder_of_the_users_configs_is_found(tmp_path: Path) -> None:
    tmp_path = tmp_path / "my own, Jo's {1} [conf]"
    (tmp_path / "experiment" / "mine").mkdir(parents=True)
    (tmp_path / "experiment" / "mine" / "small.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /method: direct\nseed: 7\n"
    )
    for flag in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"]):
        config, _ = compose("train", [*flag, "experiment=mine/small"])
        assert config.seed == 7
        assert "DirectRegression" in config.method.module


def test_experiments_of_the_user_build_on_others(tmp_path: Path) -> None:
    """A suite of the user, and a yaml file that starts from a row of another suite."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "mine.yaml").write_text(
        "every: {data: coco, recipe: hrnet}\n"
        "rows:\n  small: {backbone: hrnet_w32, ema: 0.9, published.AP: 70.0}\n"
    )
    (tmp_path / "experiment" / "mine").mkdir(parents=True)
    (tmp_path / "experiment" / "mine" / "wide.yaml").write_text(
        "# @package _global_\ndefaults:\n  - /experiment/coco/rle_r50_256x192\n"
        "  - override /backbone: resnet101\n\nframing: {size: [384, 288]}\n"
    )
    assert list(suite_rows("mine", [tmp_path])) == ["mine/small", "mine/wide"]
    small, _ = compose("train", ["--config-dir", str(tmp_path), "experiment=mine/small"])
    assert (small.ema, small.backbone.name, small.published.AP) == (0.9, "hrnet_w32", 70.0)
    assert small.method.neck["_target_"].endswith("HighestResolution")
    wide, _ = compose("train", ["--config-dir", str(tmp_path), "experiment=mine/wide"])
    assert (wide.backbone.name, list(wide.framing.size)) == ("resnet101.tv_in1k", [384, 288])
    assert wide.trainer.max_epochs == 270


@pytest.mark.parametrize(
    ("size", "sigma"), [("64,64", 1), ("128,96", 1), ("256,192", 2), ("384,288", 3)]
)
def test_sigma_follows_from_the_input_size(size: str, sigma: float) -> None:
    words = ["experiment=coco/hrnet_w32_256x192", f"framing.size=[{size}]"]
    assert compose("train", words)[0].method.codec.sigma == sigma
    assert compose("train", [*words, "method.codec.sigma=1.5"])[0].method.codec.sigma == 1.5


def test_recipe_backbone_and_size_are_three_choices() -> None:
    words = ["recipe=dark", "backbone=hrnet_w48", "framing.size=[256,192]", "data=coco"]
    words.append("framing.reduced_jpeg=false")  # of the suite
    config, _ = compose("train", words)
    row, _ = compose("train", ["experiment=coco/dark_w32_256x192", "backbone=hrnet_w48"])
    for key in ("method", "backbone", "framing", "augment", "optimizer", "schedule", "data"):
        assert config[key] == row[key]


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
