"""Training: from a resolved config to checkpoints, predictions, metrics and images of them."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EMAWeightAveraging, LearningRateMonitor

from poselab.data.images import read_image
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.validation.checks import doubts_of_ranking
from poselab.experiments import build, runs
from poselab.experiments.comparability import run_comparability
from poselab.experiments.fine_tuning import start_from_weights
from poselab.experiments.manifest import start_run
from poselab.experiments.reporting import report_run
from poselab.io.checkpoints import KeptCheckpoint, read_checkpoint
from poselab.io.files import read_json, replacing, write_json
from poselab.report.curves import draw_curves, read_curves
from poselab.report.draw import contact_sheet, draw_poses, fit_into
from poselab.training.callbacks import (
    DescribeCheckpoint,
    PoseImages,
    ProgressLines,
    SeedEachEpoch,
    Stopwatch,
)
from poselab.training.validation import PoseEvaluation, check_scorable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poselab.data import PoseData
    from poselab.evaluation.predictions import Predictions
    from poselab.evaluation.record import Metrics
    from poselab.modules import PoseModule

SHOWN = 0.2
"""Keypoints that score above this are drawn."""

_SET_BY_LAUNCHER = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""What Lightning leaves in the environment of a process that started others."""


def train(config: DictConfig, folder: Path, experiment: str) -> dict[str, Any]:
    """Train (or go on training) in ``folder``, validate the best checkpoint; its metrics record.

    The record is empty on the other ranks of a distributed run.

    Raises:
        InputError: the config, the data or the folder are not usable; nothing was trained then.
        FloatingPointError: training diverged.
        KeyboardInterrupt: a person stopped it; the last whole epoch is kept.
    """
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    pl.seed_everything(config.seed, workers=False, verbose=False)
    data = build.data(config)
    module = _begun(config, data, folder)
    description = build.described(config, data.skeleton)
    conditions = run_comparability(data, module)
    evaluation = _evaluation(config, data, folder, conditions)
    one_by_one = bool((data.val_samples.items.person >= 0).all())
    check_scorable(evaluation.evaluator, data.val.annotations, one_by_one)
    shown = _fit_for_output(config)
    stopwatch = Stopwatch(runs.seconds_trained(folder), folder / "run.json")
    callbacks = [
        DescribeCheckpoint(build.CHECKPOINT_KEY, description),
        PoseImages(data.val_samples, _drawer(data)),
        evaluation,
        *_checkpoints(folder, evaluation.primary_metric),
        stopwatch,
        *_chosen(config, shown, evaluation.primary_metric),
    ]
    trainer = build.trainer(shown, folder, callbacks)
    manifest = start_run(config, experiment, folder, data, module, conditions)
    with _wandb_inside(folder):
        for logger in trainer.loggers:
            logger.log_hyperparams(description["config"])
        _fit(trainer, module, data, folder / "checkpoints" / "last.ckpt")
    if not trainer.is_global_zero:
        return {}
    if evaluation.untrained_file.exists():
        manifest["untrained"] = read_json(evaluation.untrained_file, "metrics")
    if not evaluation.file.exists():
        _validate_checkpoint(config, data, module, evaluation, folder)
    draw_curves(read_curves(folder), evaluation.primary_metric, folder / "curves.png", experiment)
    metrics = _reported(config, data, folder, experiment)
    manifest |= {"seconds": stopwatch.seconds(), "state": "finished"}
    write_json(folder / "run.json", manifest)
    return metrics.to_json()


def _begun(config: DictConfig, data: PoseData, folder: Path) -> PoseModule:
    """The module as training begins: with ``config.weights``, unless a checkpoint follows.

    Raises:
        InputError: these weights are not there, or are another network's.
    """
    if not config.get("weights"):
        return build.module(config, data.skeleton)
    for key in ("pretrained", "weights"):  # what would be overwritten
        if config.backbone.get(key):
            config.backbone[key] = None if key == "weights" else False
    module = build.module(config, data.skeleton)
    if not (folder / "checkpoints" / "last.ckpt").exists():
        start_from_weights(Path(config.weights), module, config)
    return module


def _reported(config: DictConfig, data: PoseData, folder: Path, experiment: str) -> Metrics:
    """Score the predictions of the best epoch; write metrics, images and, if wanted, the page."""
    predictions = read_predictions(folder / "predictions" / "val.json")
    evaluator = build.evaluator(config)
    if evaluator.primary_metric == "AP":
        above = config.module.get("keypoint_threshold")
        counted = (
            ""
            if above is None
            else f" (it counts keypoints above module.keypoint_threshold={above})"
        )
        for doubt in doubts_of_ranking(predictions, data.val.annotations):
            print(f"warning: {doubt}{counted}", file=sys.stderr)
    _draw_found(data, predictions, folder / "predictions" / "images.jpg")
    replicates = config.report.replicates if config.get("report") else 0
    if replicates:
        print("resampling images for confidence intervals, writing index.html ...", flush=True)
    return report_run(folder, experiment, predictions, data.val, evaluator, replicates)


def _chosen(config: DictConfig, shown: DictConfig, primary_metric: str) -> list[pl.Callback]:
    """The callbacks that depend on the config."""
    return [
        SeedEachEpoch(config.seed),
        *([LearningRateMonitor()] if config.logger else []),
        *([EMAWeightAveraging(decay=config.ema)] if config.ema else []),
        *([] if shown.trainer.enable_progress_bar else [ProgressLines(primary_metric)]),
    ]


def _fit_for_output(config: DictConfig) -> DictConfig:
    """The config without a progress bar where no terminal would show it."""
    bar = config.trainer.get("enable_progress_bar", True) and sys.stdout.isatty()
    shown = OmegaConf.merge(config, {"trainer": {"enable_progress_bar": bar}})
    assert isinstance(shown, DictConfig)
    return shown


def _fit(trainer: pl.Trainer, module: PoseModule, data: PoseData, last: Path) -> None:
    """Train from ``last`` where it exists, and be a single process again afterwards."""
    if last.exists():
        # Also refuses a broken file, or another method's, in one sentence.
        content = read_checkpoint(last, build.CHECKPOINT_KEY)
        build.restore(module, content["state_dict"], last)
        data.first_epoch = content["epoch"] + 1
    before = dict(os.environ)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)
    except SystemExit:
        if trainer.interrupted:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
        raise
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name in _SET_BY_LAUNCHER:
            if name not in before:
                os.environ.pop(name, None)


@contextmanager
def _wandb_inside(folder: Path) -> Iterator[None]:
    """Keep the caches, settings and staged files of Weights & Biases in the run's folder."""
    kinds = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
    ours = {kind: str((folder / "wandb" / ".local").resolve()) for kind in kinds}
    ours = {kind: place for kind, place in ours.items() if kind not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
            sys.modules["wandb"].finish()  # the next run of this process is another one
        for kind in ours:
            os.environ.pop(kind, None)


def _validate_checkpoint(
    config: DictConfig, data: PoseData, module: PoseModule, evaluation: PoseEvaluation, folder: Path
) -> None:
    """Write the predictions of the checkpoint, of a run that never validated an epoch.

    On one device: nothing is left to merge, and averaging callbacks are out of the way.
    """
    checkpoint = runs.best_checkpoint(folder)
    weights = read_checkpoint(checkpoint, build.CHECKPOINT_KEY)["state_dict"]
    build.restore(module, weights, checkpoint)
    alone = OmegaConf.merge(
        _fit_for_output(config), {"trainer": {"devices": 1, "strategy": "auto"}}
    )
    assert isinstance(alone, DictConfig)
    build.trainer(alone, None, [evaluation]).validate(module, datamodule=data, verbose=False)


def _draw_found(data: PoseData, predictions: Predictions, sheet: Path, count: int = 12) -> None:
    """A sheet of validation images with the poses found in them."""
    table = data.val.annotations
    cells = []
    for row in np.linspace(0, len(table) - 1, min(count, len(table))).astype(int):
        found = predictions.take(np.flatnonzero(predictions.image_ids == table.image_ids[row]))
        image = read_image(data.val.images / table.file_name(row))
        drawn = draw_poses(image, found.keypoints, found.keypoint_scores > SHOWN, table.skeleton)
        cells.append(fit_into(drawn, (256, 256)))
    with replacing(sheet) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4)[:, :, ::-1])


def _evaluation(
    config: DictConfig, data: PoseData, folder: Path, conditions: dict[str, Any]
) -> PoseEvaluation:
    file = folder / "predictions" / "val.json"
    return PoseEvaluation(build.evaluator(config), data.val.annotations, file, conditions)


def _checkpoints(folder: Path, primary_metric: str) -> list[pl.Callback]:
    """The best by the evaluator's headline metric, and the last after every epoch."""
    keep = partial(KeptCheckpoint, dirpath=folder / "checkpoints", enable_version_counter=False)
    return [
        keep(filename="best", monitor=f"val/{primary_metric}", mode="max"),
        keep(filename="last", save_on_train_epoch_end=True),
    ]


def _drawer(data: PoseData) -> Any:
    def draw(image: Any, keypoints: Any, scores: Any) -> Any:
        return draw_poses(image, keypoints, scores > SHOWN, data.skeleton)

    return draw
