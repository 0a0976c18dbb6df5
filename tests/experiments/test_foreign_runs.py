"""Runs and checkpoints of somebody else: they run no code, touch no file, and end in a sentence."""

from __future__ import annotations

import base64
import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from PIL import Image

from poselab import cli
from poselab.experiments import build, runs
from poselab.experiments.config.compose import compose
from poselab.experiments.manifest import write_run
from poselab.io.checkpoints import AtomicCheckpointIO, LatestBestCheckpoint
from poselab.skeletons import COCO17
from poselab.synthetic import Settings, generate

TINY = (
    *("experiment=quickstart/heatmap", "++backbone.widths=[8,16,16,16]", "framing.size=[64,64]"),
    *("method.neck.channels=8", "trainer.max_epochs=1", "data=coco", "data.batch_size=2"),
    *("data.workers=0", "report=null", "logger=none", "evaluator=oks"),
)
KEY = build.CHECKPOINT_KEY


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained run with its data, a checkpoint and an image."""
    folder = tmp_path_factory.mktemp("foreign")
    generate(folder / "people", Settings(2, val=2, seed=4, size=(64, 64)), workers=1)
    config, _ = compose("train", [*TINY, f"data.sources.root={folder / 'people'}"])
    module = build.module(config, COCO17)
    record = {"experiment": "quickstart/heatmap", "state": "interrupted", "data": {}, "seconds": 0}
    write_run(folder / "run", config, record | {"started": "2026-01-01T00:00:00+00:00"})
    content = {"state_dict": module.state_dict(), KEY: build.checkpoint_record(config, COCO17)}
    AtomicCheckpointIO().save_checkpoint(content, folder / "run" / "checkpoints" / "best.ckpt")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "photo.png")
    return folder


@pytest.fixture
def place(shared_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a copy of the run, and nothing else once a test is over."""
    shutil.copytree(shared_run / "run", tmp_path / "run")
    shutil.copy(shared_run / "photo.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "harmed").exists()


def change(place: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Edit the config of the checkpoint and of the run."""
    file = place / "run" / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    edit(content[KEY]["config"])
    torch.save(content, file)
    config = yaml.safe_load((place / "run" / "config.yaml").read_text())
    edit(config)
    (place / "run" / "config.yaml").write_text(yaml.safe_dump(config))


COMMANDS = {
    "predict": ["predict", "run", "photo.png", "--out", "out"],
    "predict a file": ["predict", "run/checkpoints/best.ckpt", "photo.png", "--out", "out"],
    "decode": ["decode", "run"],
    "detect costs": ["detect", "costs", "run", "--boxes", "ground_truth", "--out", "out"],
    "resume": ["train", "resume=run"],
}


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence by which a command ends."""
    status = cli.main(words)
    sentences = [line for line in capsys.readouterr().err.splitlines() if "poselab " in line]
    assert status == 1, sentences
    assert len(sentences) == 1
    return sentences[0]


def evil_targets(place: Path) -> dict[str, dict[str, Any]]:
    """Calls that would write the file ``harmed``, by what is called."""
    harmed = str(place / "harmed")
    code = f"open({harmed!r}, 'w')"

    class Harm:
        def __reduce__(self) -> Any:
            return eval, (code,)

    pickled = base64.b64encode(pickle.dumps(Harm())).decode()
    return {
        "sympy.sympify": {"a": f"__import__('os').system('touch {harmed}')"},
        "torch.load": {
            "f": {"_target_": "io.BytesIO", "initial_bytes": pickled},
            "weights_only": False,
        },
        "builtins.eval": {"_args_": [code]},
        "os.system": {"command": f"touch {harmed}"},
        "pathlib.Path.touch": {"self": {"_target_": "pathlib.Path", "_args_": [harmed]}},
        "functools.partial": {"_args_": [{"_target_": "hydra.utils.get_method", "path": "eval"}]},
        "poselab.io.files.write_bytes": {"path": harmed, "content": "x"},
        "logging.config.dictConfig": {"config": {"version": 1, "handlers": {}}},
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_the_code_of_a_run(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, arguments in evil_targets(place).items():
        evil = {"_target_": name, **arguments}
        change(place, lambda config, evil=evil: config["method"].update(loss=evil))
        said = refusal(COMMANDS[command], capsys)
        assert "method.loss" in said
        assert "trust=" in said


@pytest.mark.parametrize(
    "section",
    [
        *("framing", "backbone", "method", "module", "postprocess", "optimizer", "schedule"),
        *("augment", "data", "trainer", "evaluator"),
    ],
)
def test_no_section_of_a_run_runs_code(
    section: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = {"_target_": "builtins.open", "file": str(place / "harmed"), "mode": "w"}
    key = "size" if section == "framing" else "extra"
    change(place, lambda config: config[section].update({key: [{"inside": evil}]}))
    assert f"{section}.{key}.0.inside._target_" in refusal(COMMANDS["resume"], capsys)


def test_no_logger_writes_elsewhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("..", "../../harmed", str(place / "harmed"), "a/../../harmed"):
        logger = {
            "_target_": "pytorch_lightning.loggers.CSVLogger",
            "_partial_": True,
            "name": "logs",
        }
        for key in ("name", "version"):
            made = {"csv": logger | {key: name}}
            change(place, lambda config, made=made: config.update(logger=made))
            assert f"logger.csv.{key}" in refusal(COMMANDS["resume"], capsys)


def test_no_weights_are_fetched_or_read_for_a_checkpoint(place: Path) -> None:
    nested = {"weights": "/etc/passwd", "pretrained": True, "inner": [{"weights": "http://x"}]}
    config, _ = compose("train", TINY)
    stored = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    stored.backbone.update(nested)
    stored.method.net = dict(nested)
    build.leave_out_pretrained(stored)
    for section in (stored.backbone, stored.method.net):
        assert section.weights is None
        assert section.pretrained is False
        assert section.inner[0].weights is None


@pytest.mark.parametrize("backbone", ["PlainViT", "TimmBackbone"])
@pytest.mark.parametrize("name", ["hf-hub:evil/net", "local-dir:/tmp", "hf_hub:evil/net"])
def test_names_of_networks_are_no_addresses(
    backbone: str, name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = {"_target_": f"poselab.models.backbones.{backbone}", "_partial_": True, "name": name}
    change(place, lambda config: config.update(backbone=node))
    assert "expected backbone.name to be a network of timm" in refusal(COMMANDS["predict"], capsys)


def bomb(levels: int = 30) -> str:
    """Each list holds the one before nine times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing": lambda config: config.pop("method"),
    "null": lambda config: config.update(backbone=None),
    "list": lambda config: config.update(framing=[1, 2]),
    "number": lambda config: config.update(module=3),
    "text": lambda config: config.update(optimizer="adam"),
    "reference": lambda config: config["framing"].update(size="${seed}"),
    "environment": lambda config: config["framing"].update(size="${oc.env:HOME}"),
    "unset": lambda config: config["framing"].update(size="???"),
    "seed": lambda config: config.update(seed="one"),
    "flip test": lambda config: config.update(flip_test=3),
    "deep": lambda config: config["method"].update(deep=nested(100)),
    "numbers as keys": lambda config: config["method"].update({3: 4}),
    "no head": lambda config: config["method"].pop("head"),
    "head is null": lambda config: config["method"].update(head=None),
    "size": lambda config: config["framing"].update(size=None),
    "widths": lambda config: config["backbone"].update(widths=[-8]),
    "no target": lambda config: config["module"].pop("_target_"),
}


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_configs_are_one_sentence(
    broken: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(place, BROKEN[broken])
    for command in ("predict", "resume"):
        said = refusal(COMMANDS[command], capsys)
        assert said.startswith(f"poselab {COMMANDS[command][0]}: expected ")
        assert len(said) < 400


def test_a_section_without_a_class_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(place, lambda config: config["data"].pop("_target_"))
    assert "expected a class as `data._target_`" in refusal(COMMANDS["resume"], capsys)


@pytest.mark.parametrize("text", [bomb(), "a: &a [*a]\n", "a: &a {b: *a}\n", "[" * 10_000])
def test_yaml_bombs_are_counted(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "run" / "config.yaml").write_text(text)
    assert "at most 200000 values in 60 levels" in refusal(COMMANDS["resume"], capsys)


def test_a_config_inside_itself_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "run" / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    content[KEY]["config"]["method"] = content[KEY]["config"]
    torch.save(content, file)
    assert "none inside itself" in refusal(COMMANDS["predict"], capsys)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.update(state_dict={1: torch.zeros(2)}),
        lambda content: content.update(state_dict={"net": [1]}),
        lambda content: content.update(state_dict=None),
        lambda content: content.update(state_dict={}),
        lambda content: content.update({KEY: None}),
        lambda content: content.update({KEY: {}}),
        lambda content: content[KEY].update(skeleton=None),
        lambda content: content[KEY]["skeleton"].update(keypoints=3),
        lambda content: content[KEY]["skeleton"].update(limbs=[["a", "b"]]),
        lambda content: content[KEY]["skeleton"].update(keypoints=[]),
    ],
)
def test_broken_checkpoints_are_one_sentence(
    edit: Callable[[dict[str, Any]], Any], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "run" / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    edit(content)
    torch.save(content, file)
    assert "expected" in refusal(COMMANDS["predict"], capsys)


class Harm:
    """Unpickled, it writes a file."""

    def __reduce__(self) -> Any:
        return open, ("harmed", "w")


def test_lightning_reads_no_code_from_a_checkpoint(place: Path) -> None:
    torch.save({"state_dict": {}, "harm": Harm()}, place / "last.ckpt")
    with pytest.raises(ValueError, match="objects of"):
        AtomicCheckpointIO().load_checkpoint(place / "last.ckpt", weights_only=False)


def test_a_resumed_run_deletes_only_its_own_checkpoints(place: Path) -> None:
    keep = LatestBestCheckpoint(
        dirpath=place / "run", filename="best", monitor="x", enable_version_counter=False
    )
    for evil in (str(place / "photo.png"), "../photo.png", str(place / "run" / ".." / "photo.png")):
        state = {
            "dirpath": str(place),
            "best_model_score": torch.tensor(0.5),
            "best_model_path": evil,
            "best_k_models": {evil: torch.tensor(0.5)},
            "kth_best_model_path": evil,
            "kth_value": torch.tensor(0.5),
            "last_model_path": evil,
        }
        keep.load_state_dict(state)
        own = str(place / "run" / "best.ckpt")
        assert keep.best_k_models == {own: torch.tensor(0.5)}
        assert keep.best_model_path == keep.kth_best_model_path == keep.last_model_path == own


def test_a_stored_config_is_the_one_that_was_written(place: Path) -> None:
    config, _ = runs.load_run(place / "run")
    composed, _ = compose("train", [*TINY, f"data.sources.root={config.data.sources.root}"])
    assert config == OmegaConf.create(OmegaConf.to_container(composed, resolve=True))


def test_one_s_own_classes_are_loaded_where_they_are_trusted(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "own_loss.py").write_text(
        "from poselab.losses.heatmaps import HeatmapLoss\nclass Loss(HeatmapLoss): pass\n"
    )
    monkeypatch.syspath_prepend(str(place))
    own = {"_target_": "own_loss.Loss", "_partial_": True}
    change(place, lambda config: config["method"].update(loss=own))
    assert "trust=own_loss" in refusal(COMMANDS["predict"], capsys)
    assert cli.main([*COMMANDS["predict"], "trust=own_loss"]) == 0
    assert "trust=own_loss" in refusal(COMMANDS["predict"], capsys)


def test_io_bytes_of_a_pickle_run_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    torch.save({"state_dict": {}, KEY: {"config": Harm()}}, buffer)
    (place / "run" / "checkpoints" / "best.ckpt").write_bytes(buffer.getvalue())
    assert "which are not read" in refusal(COMMANDS["predict"], capsys)


def last_checkpoint(place: Path) -> dict[str, Any]:
    """What Lightning keeps of a run after its first epoch, as far as it is needed here."""
    content = torch.load(place / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    training = {"epoch": 0, "global_step": 1, "pytorch-lightning_version": "2.0.0", "callbacks": {}}
    return dict(content | training | {"loops": {}, "optimizer_states": [], "lr_schedulers": []})


@pytest.mark.parametrize(
    "broken",
    [
        {"epoch": None},
        {"epoch": 10**30},
        {"pytorch-lightning_version": "evil"},
        {"pytorch-lightning_version": None},
        {"optimizer_states": 3},
        {"loops": [1]},
        {"callbacks": []},
    ],
)
def test_broken_states_of_training_are_one_sentence(
    broken: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = place / "run" / "checkpoints" / "last.ckpt"
    torch.save(last_checkpoint(place) | broken, last)
    assert "last.ckpt" in refusal([*COMMANDS["resume"], "trainer.max_epochs=2"], capsys)


PERMITTED = {
    "decode": [*COMMANDS["decode"], "--replicates", "2", "--outside-images"],
    "detect costs": [*COMMANDS["detect costs"], "--replicates", "2", "--outside-images"],
    "resume": [*COMMANDS["resume"], "data.outside_images=true"],
}


@pytest.mark.parametrize("command", PERMITTED)
def test_a_run_does_not_permit_images_outside_of_their_folder(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else's run says that its annotations may name any file; only the user may."""
    people = Path(
        yaml.safe_load((place / "run" / "config.yaml").read_text())["data"]["sources"]["root"]
    )
    shutil.copytree(people, place / "people")
    for file in (place / "people" / "annotations").glob("*.json"):
        content = json.loads(file.read_text())
        for image in content["images"]:
            image["file_name"] = "../" * 3 + f"{place.name}/photo.png"
        file.write_text(json.dumps(content))

    def permit(config: dict[str, Any]) -> None:
        config["data"]["outside_images"] = True
        config["data"]["sources"]["root"] = str(place / "people")

    change(place, permit)
    said = refusal(COMMANDS[command], capsys)
    assert "which leaves it" in said
    assert PERMITTED[command][-1] in said
    assert cli.main(PERMITTED[command]) == 0


def test_permission_does_not_make_it_another_run(place: Path) -> None:
    """A suite goes on with its runs whether images outside of the folder are permitted or not."""
    stored, _ = runs.load_run(place / "run")
    change(place, lambda config: config["data"].update(outside_images=True))
    for permitted in ("true", "false"):
        words = [f"data.sources.root={stored.data.sources.root}"]
        composed, _ = compose("train", [*TINY, *words, f"data.outside_images={permitted}"])
        assert runs.finished_metrics(composed, place / "run") is None  # the same run, unfinished
