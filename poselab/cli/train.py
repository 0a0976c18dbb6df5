"""poselab train: one experiment, from a config to a run folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.experiments.configs import shipped

if TYPE_CHECKING:
    from omegaconf import DictConfig

_HELP = """usage: poselab train experiment=SUITE/NAME [key=value ...]
       poselab train resume=RUN [key=value ...]

Train one experiment; every key of its config can be overridden (Hydra's grammar).

  poselab train experiment=quickstart/heatmap
  poselab train experiment=coco/heatmap_r50_256x192 data.sources.root=/data/coco
  poselab train experiment=quickstart/heatmap method.codec.sigma=1.5 trainer.max_epochs=3
  poselab train experiment=quickstart/heatmap seed=0,1,2 --multirun
  poselab train resume=runs/quickstart/heatmap/2026-01-31_12-00-00
  poselab train experiment=coco/hrnet_w32_256x192 weights=runs/imported/w32 optimizer.lr=1e-4

weights=RUN starts a new run from the best weights of another one, trained or imported; a
checkpoint's file will do as well.

A run that goes on takes changes that prolong or observe it, such as trainer.max_epochs,
data.workers, logger.* and report.*; any other needs a new run.

  --cfg job         print the config instead of training
  --config-dir DIR  also look for configs in a folder of your own
  --multirun        one run for each combination of comma-separated values

Experiments: {experiments}

The run folder holds config.yaml, run.json (seed, environment, data fingerprint), checkpoints/
(best.ckpt, last.ckpt), predictions/val.json, metrics.json and the logger's curves. The last line
of output is `run: FOLDER`.
"""


def main(words: list[str]) -> int:
    """Run the command."""
    if not words or {"-h", "--help"} & set(words):
        print(
            _HELP.format(experiments=" ".join(shipped("experiment"))),
            file=sys.stdout if words else sys.stderr,
        )
        return 0 if words else 2
    from poselab.experiments.compose import compose, hand_to_hydra, wants_hydra

    if wants_hydra(words):
        hand_to_hydra("train", words, _one_of_many)
        return 0
    resumed = [word.removeprefix("resume=") for word in words if word.startswith("resume=")]
    if resumed:
        return _resume(Path(resumed[0]), [w for w in words if not w.startswith("resume=")])
    config, choices = compose("train", words)
    return _train(config, choices.get("experiment") or "custom")


def _one_of_many(config: DictConfig) -> float:
    """One job of a sweep; its headline metric, for Hydra's optimising sweepers."""
    from hydra.core.hydra_config import HydraConfig

    from poselab.experiments import runs
    from poselab.experiments import train as training
    from poselab.experiments.config_values import expect_values

    hydra = HydraConfig.get()
    name = hydra.runtime.choices.get("experiment") or "custom"
    expect_values(config)
    runs.check_one_device(config)
    folder = runs.new_folder(config, f"{name}/{hydra.job.override_dirname or 'base'}")
    record = training.train(config, folder, name)
    print(f"run: {folder}")
    return float(next(iter(record.values())) or 0.0)


def _train(config: DictConfig, experiment: str) -> int:
    from poselab.experiments import runs
    from poselab.experiments import train as training

    folder = runs.new_folder(config, experiment)
    if training.train(config, folder, experiment):  # rank 0 alone has figures
        print(f"run: {folder}")
    return 0


def _resume(folder: Path, changes: list[str]) -> int:
    """Go on with a run from its last checkpoint; a finished one only answers."""
    from poselab.experiments import runs
    from poselab.experiments import train as training
    from poselab.experiments.resume import changed, check_trained_here

    config, experiment = runs.load_run(folder)
    check_trained_here(folder)
    config = changed(folder, config, changes)
    done = runs.is_finished(folder) and not changes
    if done or training.train(config, folder, experiment):
        print(f"run: {folder}")
    return 0
