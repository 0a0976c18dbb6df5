"""A run may start from the weights of another one, and imported weights are never resumed."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from flow import TINY, words
from omegaconf import DictConfig, OmegaConf

from poselab import cli
from poselab.experiments import build
from poselab.experiments.config.compose import compose
from poselab.experiments.fine_tuning import start_from_weights
from poselab.experiments.runs import load_run
from poselab.modules import PoseModule
from poselab.skeletons import COCO17
from poselab.structures import InputError

STILL = ("optimizer.lr=1e-12", "optimizer.weight_decay=0", "schedule=constant", "seed=1")
RLE = ("experiment=quickstart/direct", "backbone=tiny", "method=rle", "framing.size=[64,64]")


def parameters(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    return {k: v for k, v in content.items() if "running" not in k and "batches" not in k}


def built(*changes: str, experiment: tuple[str, ...] = TINY) -> tuple[PoseModule, DictConfig]:
    config, _ = compose("train", [*experiment, *changes])
    return build.module(config, COCO17), config


def saved(module: PoseModule, config: DictConfig, file: Path) -> Path:
    described = build.checkpoint_record(config, COCO17)
    torch.save({"state_dict": module.state_dict(), build.CHECKPOINT_KEY: described}, file)
    return file


@pytest.fixture(scope="module")
def source(instances: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "run"
    assert cli.main(words(instances, folder)) == 0
    return folder


def test_training_starts_from_the_weights_and_resuming_keeps_its_own(
    source: Path, instances: Path, tmp_path: Path
) -> None:
    moved, run = tmp_path / "moved", tmp_path / "run"
    shutil.copytree(source, moved)
    assert cli.main(words(instances, run, *STILL, f"weights={moved}")) == 0
    begun = parameters(run)
    for key, value in parameters(source).items():
        torch.testing.assert_close(begun[key], value, rtol=1e-5, atol=1e-7)
    assert load_run(run)[0].weights == str(moved)
    shutil.rmtree(moved)
    assert cli.main(["train", f"resume={run}", "trainer.max_epochs=2"]) == 0


def test_weights_from_a_checkpoint_file(source: Path) -> None:
    module, config = built("seed=1")
    start_from_weights(source / "checkpoints" / "best.ckpt", module, config)
    state = module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in parameters(source).items())


@pytest.mark.parametrize(
    ("change", "comes"), [((), True), (("method.loss.flow.hidden=32",), False)]
)
def test_the_weights_of_the_same_loss_are_loaded_too(
    change: tuple[str, ...], comes: bool, tmp_path: Path
) -> None:
    first, config = built(experiment=RLE)
    file = saved(first, config, tmp_path / "rle.ckpt")
    second, config = built(*change, experiment=RLE)
    fresh = {name: value.clone() for name, value in second.state_dict().items()}
    start_from_weights(file, second, config)
    for name, value in second.state_dict().items():
        expected: Any = first.state_dict() if comes or name.startswith("net.") else fresh
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("++backbone.widths=[8,16,16,24]", r"net.*\(16, 16, .* instead of \(24, 16, "),
        ("++backbone.blocks=2", r"net.*\.1\..* none instead of \("),
    ],
)
def test_another_network_fails(change: str, message: str, source: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        start_from_weights(source, *built(change))
    assert "choose the backbone, method and keypoints" in str(caught.value)


def test_missing_weights_fail_before_training(
    instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words(instances, tmp_path / "run", f"weights={tmp_path / 'no'}")) == 1
    error = capsys.readouterr().err
    assert "expected a checkpoint at" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_different_input_pixels_warn(source: Path) -> None:
    with pytest.warns(UserWarning, match=r"trained with framing\.pixels=centre, this run has udp"):
        start_from_weights(source, *built("framing.pixels=udp"))


def test_different_label_units_warn(tmp_path: Path) -> None:
    module, config = built()
    theirs = config.copy()
    OmegaConf.update(theirs, "method.codec.labels", "corner", force_add=True)
    file = saved(module, theirs, tmp_path / "corners.ckpt")
    with pytest.warns(UserWarning, match=r"method\.codec\.labels=corner, this run has None"):
        start_from_weights(file, module, config)


def test_imported_weights_are_fine_tuned_not_resumed(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "im ported"
    shutil.copytree(source, folder)
    manifest = json.loads((folder / "run.json").read_text())
    changes = ["framing.pixels=udp", "method.codec.encoding=unbiased", "backbone=resnet50"]
    origin = {"experiment": "coco/heatmap_r101_256x192", "changes": changes}
    manifest |= {"state": "imported", "imported": origin}
    (folder / "run.json").write_text(json.dumps(manifest))
    assert cli.main(["train", f"resume={folder}", "trainer.max_epochs=3"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "found imported weights in" in error
    told = shlex.split(error.partition("poselab train experiment=")[2].strip())
    config, _ = compose("train", [f"experiment={told[0]}", *told[1:]])
    assert config.weights == str(folder)
    assert (config.framing.pixels, config.backbone.name) == ("udp", "resnet50.tv_in1k")
