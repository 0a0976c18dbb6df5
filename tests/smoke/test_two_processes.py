"""Two processes find what one finds."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flow import words

from poselab.evaluation.predictions import read_predictions
from poselab.io.files import read_json

SCRIPT = """
import shutil, sys
from poselab import cli
from poselab.experiments import train as training

alone = training._validate_best
def keep_what_two_wrote(config, data, module, folder):
    shutil.copy(folder / "predictions/val.json", folder / "predictions/two.json")
    return alone(config, data, module, folder)
training._validate_best = keep_what_two_wrote
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_figures_do_not_depend_on_the_processes(instances: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    flags = words(instances, tmp_path, "trainer=ddp_cpu", "data.batch_size=4")
    flags = [word for word in flags if not word.startswith("folder=")]
    flags += [f"runs={tmp_path / 'runs'}", "module=single_person", "evaluator=pck"]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), *flags, "trainer.max_epochs=1"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr  # every figure is of all ranks
    (folder,) = (tmp_path / "runs" / "quickstart" / "heatmap").iterdir()
    assert done.stdout.splitlines()[-1] == f"run: {folder}"
    assert done.stdout.count("run: ") == done.stdout.count("epoch 1/1") == 1
    two, one = (read_predictions(folder / "predictions" / f"{n}.json") for n in ("two", "val"))
    assert len(two) == len(set(two.annotation_ids.tolist())) == len(one) > 8
    logged = list(csv.DictReader((folder / "logs/version_0/metrics.csv").open()))
    curve = [float(row["val/PCK@0.2"]) for row in logged if row["val/PCK@0.2"]]
    metrics = read_json(folder / "metrics.json", "metrics")
    assert curve == pytest.approx([metrics["PCK@0.2"]], abs=1e-7)  # logged in float32
    assert metrics["PCK@0.2"] > 0
    order = np.argsort(two.annotation_ids), np.argsort(one.annotation_ids)
    assert np.allclose(two.keypoints[order[0]], one.keypoints[order[1]], atol=0.01)
