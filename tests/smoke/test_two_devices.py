"""Two processes predict what one predicts."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from flow import words

from poselab.evaluation.predictions import Predictions, merge, read_predictions
from poselab.experiments import build
from poselab.io.files import read_json


def predictions_of_one_process(folder: Path) -> Predictions:
    module, config, _ = build.load(folder / "checkpoints" / "best.ckpt")
    with torch.inference_mode():
        batches = enumerate(build.data(config).val_dataloader())
        return merge([module.predict_step(batch, n) for n, batch in batches])


@pytest.mark.slow
def test_metrics_do_not_depend_on_the_processes(instances: Path, tmp_path: Path) -> None:
    flags = words(instances, tmp_path, "trainer=ddp_cpu", "data.batch_size=4")
    flags = [word for word in flags if not word.startswith("folder=")]
    flags += [f"runs={tmp_path / 'runs'}", "module=single_person", "evaluator=pck"]
    done = subprocess.run(
        [sys.executable, "-m", "poselab", *flags, "trainer.max_epochs=1"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr  # every figure is of all ranks
    (folder,) = (tmp_path / "runs" / "quickstart" / "heatmap").iterdir()
    assert done.stdout.splitlines()[-1] == f"run: {folder}"
    assert done.stdout.count("run: ") == done.stdout.count("epoch 1/1  loss ") == 1
    two = read_predictions(folder / "predictions" / "val.json")
    one = predictions_of_one_process(folder)
    assert len(two) == len(set(two.annotation_ids.tolist())) == len(one) > 8
    logged = list(csv.DictReader((folder / "logs/version_0/metrics.csv").open()))
    curve = [float(row["val/PCK@0.2"]) for row in logged if row["val/PCK@0.2"]]
    metrics = read_json(folder / "metrics.json", "metrics")
    assert curve == pytest.approx([metrics["PCK@0.2"]], abs=1e-7)  # logged in float32
    assert metrics["PCK@0.2"] > 0
    order = np.argsort(two.annotation_ids), np.argsort(one.annotation_ids)
    assert np.allclose(two.keypoints[order[0]], one.keypoints[order[1]], atol=0.01)
