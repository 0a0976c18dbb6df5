"""Wrong input ends with status 1 or 2 and one sentence that says what to do."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flow import Train, words

from poselab import cli
from poselab.data import PoseDataset
from poselab.structures import InputError


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command that must fail; the sentence that it prints."""

    def go(given: list[str], status: int = 1) -> str:
        capsys.readouterr()
        assert cli.main(given) == status
        err = capsys.readouterr().err.splitlines()
        assert len(err) == 1, err
        assert err[0].startswith(f"poselab {given[0]}: expected ")
        return err[0]

    return go


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trainer.max_epoch=1", "'trainer.max_epoch'; did you mean trainer.max_epochs?"),
        ("max_epochs=1", "'max_epochs'; did you mean trainer.max_epochs?"),
        ("trainr=gpu", "'trainr'; did you mean trainer?"),
        ("experimnt=coco/x", "'experimnt'; did you mean experiment?"),
        ("zebra.stripes=1", "'zebra.stripes'; no key has a similar name"),
        ("method.codec={radius: 2}", "expected keys that method.codec already has"),
        ("method=heatmop", "'heatmop'; did you mean heatmap?"),
        ("experiment=quickstart/heatmop", "did you mean quickstart/heatmap?"),
        ("framing=whole_image", "framing of one person for TopDown, got WholeImage"),
        ("+framing.paddin=2", "'framing.paddin'; did you mean framing.padding?"),
        ("method.codec.decoder=darker", "darker"),
        ("backbone._target_=poselab.models.backbones.Tiny", "backbone"),
        ("--detector", "expected overrides like key=value, got '--detector'"),
        ("heatmap", "expected overrides like key=value, got 'heatmap'"),
        ("trainer.precision=17", "precision"),
        ("trainer.precision=bf16-true", "round coordinates"),
        ("framing.size=[64,48]", "multiples of 32"),
        ("data.sources.root=/nowhere/at/all", "/nowhere/at/all"),
        ("optimizer.lr=fast", "optimizer"),
        ("augment.flip=3", "augment.flip to be a number from 0 to 1, got 3"),
        ("augment.flip=null", "augment.flip to be a number from 0 to 1, got None"),
        ("augment.scale=1.0", "augment.scale"),
        ("+trainer.limit_val_batches=2", "images that are not validated would be scored as missed"),
        ("+trainer.limit_val_batches=1", "expected no trainer.limit_val_batches, got 1,"),
        ("+trainer.overfit_batches=0.1", "expected no trainer.overfit_batches, got 0.1"),
        ("trainer.strategy=ddp_fork", "a trainer.strategy that does not fork, got ddp_fork"),
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val to be a number from 0 up"),
    ],
)
def test_a_broken_config(
    change: str, message: str, instances: Path, tmp_path: Path, fails: Any
) -> None:
    assert message in fails(words(instances, tmp_path / "run", change))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_missing_gpu(instances: Path, tmp_path: Path, fails: Any) -> None:
    message = fails(words(instances, tmp_path / "run", "trainer.accelerator=gpu"))
    assert "found none that torch can use; trainer.accelerator=cpu" in message
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_exists(run: Path, instances: Path, fails: Any) -> None:
    message = fails(words(instances, run))
    assert f"resume={run}" in message


def test_a_file_where_the_run_folder_should_be(instances: Path, tmp_path: Path, fails: Any) -> None:
    (tmp_path / "taken").write_text("")
    assert "taken" in fails(words(instances, tmp_path / "taken"))
    assert "taken" in fails(words(instances, tmp_path / "taken" / "inside"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk(
    number: int, instances: Path, tmp_path: Path, fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing checkpoints fails as on a full or read-only disk: the tests may run as root."""
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.suffix == ".ckpt":
            raise OSError(number, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    message = fails(words(instances, tmp_path / "run"))
    assert "No space left on device" in message
    assert ".ckpt" in message
    assert list((tmp_path / "run").rglob("*.ckpt")) == []


def test_a_logger_on_a_full_disk(
    instances: Path, tmp_path: Path, fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_lightning.loggers.csv_logs import ExperimentWriter

    def full(self: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "metrics.csv")

    monkeypatch.setattr(ExperimentWriter, "save", full)
    assert "metrics.csv" in fails(words(instances, tmp_path / "run"))


def test_resuming_without_a_run(tmp_path: Path, fails: Any) -> None:
    assert "run.json" in fails(["train", f"resume={tmp_path / 'nothing'}"])
    (tmp_path / "run.json").write_text("{}")
    assert "config.yaml" in fails(["train", f"resume={tmp_path}"])
    (tmp_path / "config.yaml").write_text("a: [1")
    assert "expected YAML" in fails(["train", f"resume={tmp_path}"])


@pytest.fixture
def started(run: Path, tmp_path: Path) -> Path:
    """A copy of a run, to be broken."""
    shutil.copytree(run, tmp_path / "started")
    return tmp_path / "started"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trainer.max_epoch=9", "'trainer.max_epoch'; did you mean trainer.max_epochs?"),
        ("trainer=gpu", "trainer=gpu"),
        ("nothing=1", "nothing"),
        ("--fast", "--fast"),
    ],
)
def test_resuming_with_an_unknown_key(change: str, message: str, started: Path, fails: Any) -> None:
    assert message in fails(["train", f"resume={started}", change])


def test_resuming_from_a_checkpoint_of_another_method(
    started: Path, train: Train, fails: Any
) -> None:
    other = train("experiment=quickstart/heatmap", name="other")
    shutil.copy(other / "checkpoints" / "last.ckpt", started / "checkpoints" / "last.ckpt")
    message = fails(["train", f"resume={started}", "trainer.max_epochs=20"])
    assert "another method" in message


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_truncated_checkpoint(size: int, started: Path, instances: Path, fails: Any) -> None:
    for name in ("best.ckpt", "last.ckpt"):
        file = started / "checkpoints" / name
        file.write_bytes(file.read_bytes()[:size])
    assert "last.ckpt" in fails(["train", f"resume={started}", "trainer.max_epochs=20"])
    images = str(instances / "val2017")
    assert "best.ckpt" in fails(["predict", str(started), images, "--out", str(started / "out")])


def test_a_checkpoint_of_another_project(instances: Path, tmp_path: Path, fails: Any) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    given = ["predict", str(tmp_path / "other.ckpt"), str(instances / "val2017"), "--out", "out"]
    assert "PoseLab" in fails(given)


def test_predicting_without_images_or_weights(
    run: Path, instances: Path, tmp_path: Path, fails: Any
) -> None:
    out = ["--out", str(tmp_path / "out")]
    images = str(instances / "val2017")
    assert "nothing.jpg" in fails(["predict", str(run), str(tmp_path / "nothing.jpg"), *out])
    assert "checkpoint" in fails(["predict", str(tmp_path), images, *out])
    (tmp_path / "text.jpg").write_text("not an image")
    assert "text.jpg" in fails(["predict", str(run), str(tmp_path / "text.jpg"), *out])
    whole = next((instances / "val2017").glob("*.jpg")).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert "cut.jpg" in fails(["predict", str(run), str(tmp_path / "cut.jpg"), *out])
    assert "boxes.json" in fails(
        ["predict", str(run), images, *out, "--boxes", str(tmp_path / "boxes.json")]
    )
    for device in ("quantum", "cuda:99"):
        assert device in fails(["predict", str(run), images, *out, "--device", device])
    assert not (tmp_path / "out" / "predictions.json").exists()


@pytest.fixture
def broken_dataset(instances: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be broken."""
    return Path(shutil.copytree(instances, tmp_path / "broken_dataset"))


def test_annotations_without_people(broken_dataset: Path, tmp_path: Path, fails: Any) -> None:
    for split in ("train2017", "val2017"):
        file = broken_dataset / "annotations" / f"person_keypoints_{split}.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"annotations": []}))
        fails(words(broken_dataset, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image(workers: int, broken_dataset: Path, tmp_path: Path, fails: Any) -> None:
    image = sorted((broken_dataset / "train2017").glob("*.jpg"))[5]
    image.write_bytes(b"\xff\xd8 cut off")
    message = fails(words(broken_dataset, tmp_path / "run", f"data.workers={workers}"))
    assert image.name in message


def test_a_loss_that_is_not_finite_names_the_sample(
    instances: Path, tmp_path: Path, fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_image = PoseDataset._without_image
    poisoned_ids: list[tuple[int, int]] = []

    def poisoned(self: PoseDataset, key: Any) -> Any:
        made = without_image(self, key)
        sample = made.sample
        if self.augment is None or (isinstance(key, tuple) and key[1] != 7):
            return made
        poisoned_ids.append((int(sample.frame.image_id), int(sample.frame.annotation_id)))
        keypoints = np.full_like(sample.keypoints, np.nan)
        broken_dataset = sample._replace(
            keypoints=keypoints, visibility=np.full_like(sample.visibility, 2)
        )
        return made._replace(sample=broken_dataset)

    monkeypatch.setattr(PoseDataset, "_without_image", poisoned)
    changes = ("experiment=quickstart/integral", "trainer.max_epochs=2")
    message = fails(words(instances, tmp_path / "run", *changes))
    assert f"image {poisoned_ids[0][0]} ({poisoned_ids[0][1]}) (" in message  # and no other
    assert "epoch 0" in message
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_an_error_in_a_loader_worker_is_one_sentence() -> None:
    from torch._utils import ExceptionWrapper

    try:
        raise InputError("expected an image, got none; look")
    except InputError:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(InputError) as caught:
        wrapped.reraise()
    assert cli._sentence(caught.value) == "expected an image, got none; look"
    assert cli._sentence(OSError(errno.ENOENT, "bug")) is None


def test_pckh_without_head_boxes_fails_before_training(
    instances: Path, tmp_path: Path, fails: Any
) -> None:
    labels = instances / "annotations" / "person_keypoints_val2017.json"
    kept = labels.read_bytes()
    content = json.loads(kept)
    for record in content["annotations"]:
        record.pop("head_box", None)
    labels.write_text(json.dumps(content))
    try:
        message = fails(
            words(instances, tmp_path / "run", "evaluator=pckh", "module=single_person")
        )
    finally:
        labels.write_bytes(kept)
    assert "head boxes" in message
    assert "evaluator=oks" in message  # what to say here
    assert "--metric oks" in message  # and to poselab evaluate
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_sweeps_need_one_device(instances: Path, tmp_path: Path, fails: Any) -> None:
    message = fails(["suite", "quickstart", "trainer.devices=2", f"runs={tmp_path}"])
    assert "trainer.devices=1" in message


def test_a_typo_in_a_sweep_is_one_sentence(fails: Any) -> None:
    assert "heatmop" in fails(["train", "method=heatmop,direct", "--multirun"])
    message = fails(["train", "seed=0,1", "--multirun", "trainer.max_epoch=1", "method=direct"])
    assert "did you mean trainer.max_epochs?" in message
