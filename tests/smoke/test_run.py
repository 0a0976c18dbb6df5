"""The files of a run, and that its predictions and metrics can be reproduced from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from flow import Train, words

from poselab import cli
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import (
    Predictions,
    merge,
    read_predictions,
    rounded,
    write_predictions,
)
from poselab.evaluation.record import Metrics
from poselab.experiments import build, runs

COCO_KEYS = ["AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"]


def test_a_run_has_the_files_that_the_help_names(run: Path) -> None:
    written = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert written == {
        *("config.yaml", "run.json", "metrics.json", "curves.png"),
        *("checkpoints/best.ckpt", "checkpoints/last.ckpt"),
        *("predictions/val.json", "predictions/images.jpg"),
        *("logs/version_0/metrics.csv", "logs/version_0/hparams.yaml"),
    }
    assert cv2.imread(str(run / "predictions" / "images.jpg")) is not None
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics)[:10] == COCO_KEYS
    assert metrics["comparability"]["images"] == 8


def test_the_manifest_records_what_metrics_depend_on(run: Path, instances: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["state"] == "finished"
    assert manifest["experiment"] == "quickstart/integral"
    assert manifest["seed"] == 0
    assert manifest["data"]["train"]["images"] == 24
    assert manifest["data"]["train"]["fingerprint"] != manifest["data"]["val"]["fingerprint"]
    assert manifest["environment"]["torch"] == torch.__version__.split("+")[0]
    assert manifest["cost"]["parameters"] > 0
    assert runs.is_finished(run)


def test_the_last_line_says_where_the_run_is(
    instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [w for w in words(instances, tmp_path) if not w.startswith("folder=")]
    # After one epoch no keypoint scores above 0.2, which warns.
    ranked = "postprocess.keypoint_threshold=null"
    assert cli.main([*flags, f"runs={tmp_path}/runs", ranked]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[-1].startswith(f"run: {tmp_path}/runs/quickstart/heatmap/20")
    assert Path(lines[-1].removeprefix("run: ")).is_dir()
    assert len([line for line in lines if line.startswith("epoch 1/1  loss ")]) == 1
    assert " AP " in lines[-2]
    assert err == ""  # no chatter of libraries


def test_evaluate_gives_the_same_metric_values(
    run: Path, instances: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ground_truth = instances / "annotations" / "person_keypoints_val2017.json"
    given = ["evaluate", str(run / "predictions" / "val.json"), "--annotations", str(ground_truth)]
    assert cli.main([*given, "--json", str(tmp_path / "again.json")]) == 0
    again = json.loads((tmp_path / "again.json").read_text())
    metrics = json.loads((run / "metrics.json").read_text())
    assert {key: again[key] for key in COCO_KEYS} == {key: metrics[key] for key in COCO_KEYS}
    assert (
        again["comparability"].items() <= metrics["comparability"].items()
    )  # the run measures PCKh too
    assert metrics["AP"] > 0  # else equality would say nothing


def test_a_checkpoint_predicts_what_the_run_predicted(run: Path, tmp_path: Path) -> None:
    module, config, skeleton = build.load(run / "checkpoints" / "best.ckpt")
    data = build.data(config)
    assert data.skeleton == skeleton
    with torch.inference_mode():
        found = merge(
            [module.predict_step(batch, n) for n, batch in enumerate(data.val_dataloader())]
        )
    write_predictions(tmp_path / "again.json", module.suppress(found))
    ours, theirs = (
        read_predictions(p) for p in (tmp_path / "again.json", run / "predictions/val.json")
    )
    assert np.array_equal(ours.annotation_ids, theirs.annotation_ids)
    assert np.array_equal(ours.keypoints, theirs.keypoints)
    assert np.array_equal(ours.keypoint_scores, theirs.keypoint_scores)


def test_the_untrained_network_is_scored_when_asked(train: Train) -> None:
    folder = train("trainer.num_sanity_val_steps=-1")
    manifest = json.loads((folder / "run.json").read_text())
    assert list(manifest["untrained"])[:10] == COCO_KEYS
    assert manifest["untrained"] == json.loads((folder / "predictions/untrained.json").read_text())


class Falling(OksEvaluator):
    """AP that falls from epoch to epoch, whatever is predicted."""

    calls = 0

    def __call__(self, *given: Any) -> Metrics:
        metrics = super().__call__(*given)
        type(self).calls += 1
        return Metrics(metrics.values | {"AP": 1 / type(self).calls}, metrics.comparability)


def test_the_predictions_file_is_of_the_best_epoch(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "evaluator", lambda config: Falling())
    folder = train("trainer.max_epochs=3", "schedule=constant")
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0
    predicted = {name: predictions_of(folder, name) for name in ("best", "last")}
    written = read_predictions(folder / "predictions" / "val.json")
    assert np.array_equal(written.keypoints, predicted["best"].keypoints)
    assert not np.array_equal(written.keypoints, predicted["last"].keypoints)


def predictions_of(folder: Path, checkpoint: str) -> Predictions:
    module, config, _ = build.load(folder / "checkpoints" / f"{checkpoint}.ckpt")
    with torch.inference_mode():
        batches = enumerate(build.data(config).val_dataloader())
        return rounded(merge([module.predict_step(batch, n) for n, batch in batches]))


def test_a_run_that_never_validated_scores_its_last_epoch(train: Train) -> None:
    folder = train("trainer.check_val_every_n_epoch=10")
    assert not (folder / "checkpoints" / "best.ckpt").exists()
    assert runs.best_checkpoint(folder) == folder / "checkpoints" / "last.ckpt"
    assert (folder / "metrics.json").exists()


def test_mpii_runs_in_its_own_layout_and_metric(mpii_people: Path, tmp_path: Path) -> None:
    changes = ["experiment=mpii/heatmap_r50_256x256", "data=mpii", "trainer=default"]
    flags = words(mpii_people, tmp_path / "run", *changes, "trainer.accelerator=cpu")
    assert cli.main(flags) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 <= metrics["PCKh@0.1"] <= metrics["PCKh@0.5"] <= 1
    assert "PCKh@0.5/wrist" in metrics


def test_ranks_started_from_outside_need_a_folder(
    instances: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.delenv("POSELAB_RUN_FOLDER", raising=False)
    given = [word for word in words(instances, tmp_path) if not word.startswith("folder=")]
    assert cli.main([*given, f"runs={tmp_path}/runs"]) == 1
    assert "expected folder=NEW_FOLDER" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
