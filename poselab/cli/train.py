"""poselab train: one experiment, from a config to a run folder."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

_HELP = """usage: poselab train experiment=SUITE/NAME [key=value ...]
       poselab train resume=RUN [key=value ...]

Train one experiment; every key of its config can be overridden (Hydra's grammar).
`poselab list experiments` shows what there is, `poselab check` estimates what one would cost.

  poselab train experiment=quickstart/heatmap
  poselab train experiment=coco/heatmap_r50_256x192 data.sources.root=/data/coco
  poselab train experiment=quickstart/heatmap method.codec.sigma=1.5 trainer.max_epochs=3
  poselab train experiment=quickstart/heatmap seed=0,1,2 --multirun
  poselab train resume=runs/quickstart/heatmap/2026-01-31_12-00-00
  poselab train experiment=coco/hrnet_w32_256x192 weights=runs/imported/w32 optimizer.lr=1e-4

Annotations of your own: data=roboflow or data=cvat with data.sources.root=EXPORT, or data=custom
with data.sources.train.annotations=FILE (of any layout that `poselab data check FILE` reads),
data.sources.train.images=FOLDER, and the same two of data.sources.val. data.category=NAME chooses
one of several categories; data.outside_images=true uses images that annotations name absolutely or
by `..`.

A recipe of a published value trains as its authors did, in full precision; `poselab list settings
NAME` shows their settings beside ours. batch=published accumulates batches to their total,
trainer.precision=bf16-mixed is faster. A run that changes a setting of theirs says so.

weights=RUN starts a new run from the best weights of another run, trained or imported;
weights=FILE from those of a checkpoint file.

A run can be resumed with more epochs (trainer.max_epochs) and with other devices, data.workers,
logger.* and report.*; any other change needs a new run. data.outside_images=true has to be said
again. `poselab report` writes only its report.

  --cfg job         print the config instead of training
  --config-dir DIR  also look for configs in a folder of your own
  trust=MODULE,...  also build classes of these modules of your own, which configs may name; without
                    it, a config, a run or a checkpoint runs no code but PoseLab's
  --multirun        one run for each combination of comma-separated values

The run folder holds config.yaml, run.json (seed, environment, data fingerprint), checkpoints/
(best.ckpt, last.ckpt), predictions/val.json, metrics.json and the logger's curves. The last line
of output is `run: FOLDER`.

In Python: poselab.train("quickstart/heatmap", {"trainer.max_epochs": 3})
"""


def main(words: list[str]) -> int:
    """Train, resume, or hand sweeps to Hydra."""
    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from pytorch_lightning.utilities import rank_zero_only

    from poselab.experiments import api
    from poselab.experiments.config.compose import hand_to_hydra, wants_hydra

    if wants_hydra(words):
        hand_to_hydra("train", words, _one_of_a_sweep)
        return 0
    resumed = [word.removeprefix("resume=") for word in words if word.startswith("resume=")]
    others = [word for word in words if not word.startswith("resume=")]
    run = api.resume(resumed[0], others) if resumed else api.train(overrides=others)
    rank_zero_only(print)(f"run: {run.folder}")
    return 0


def _one_of_a_sweep(config: DictConfig) -> float:
    """One run of a sweep; its primary metric (0 for NaN), for Hydra's optimising sweepers."""
    from poselab.experiments.sweep import train_one_of_a_sweep

    run = train_one_of_a_sweep(config)
    print(f"run: {run.folder}")
    value = next(iter(run.metrics.values.values()))
    return 0.0 if math.isnan(value) else value
