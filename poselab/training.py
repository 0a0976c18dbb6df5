"""Training: from a resolved config to checkpoints, predictions, metrics and pictures of them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint

from poselab import build, runs
from poselab.data.pictures import read_picture
from poselab.evaluation.predictions import read_predictions
from poselab.files import replacing, write_bytes, write_json
from poselab.modules.callbacks import DescribeCheckpoint, PosePictures, SeedEachEpoch
from poselab.modules.evaluating import PoseEvaluation
from poselab.report.curves import draw_curves, read_curves
from poselab.report.draw import contact_sheet, draw_poses, fit_into

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.data import PoseData
    from poselab.modules import PoseModule

SHOWN = 0.2
"""Keypoints that score above this are drawn."""


def train(config: DictConfig, folder: Path, experiment: str) -> dict[str, Any]:
    """Train (or go on training) in ``folder``, validate the best checkpoint; its metrics record.

    Raises:
        InputError: the config, the data or the folder are not usable; nothing was trained then.
        FloatingPointError: training diverged.
    """
    started = time.monotonic()
    pl.seed_everything(config.seed, workers=False, verbose=False)
    data = build.data(config)
    module = build.module(config, data.skeleton)
    description = build.described(config, data.skeleton)
    manifest = runs.manifest(config, experiment, data, module)
    write_bytes(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True).encode())
    write_json(folder / "run.json", manifest)
    evaluation = _evaluation(config, data, folder)
    trainer = build.trainer(
        config,
        folder,
        [
            SeedEachEpoch(config.seed),
            DescribeCheckpoint(build.CHECKPOINT_KEY, description),
            PosePictures(data.val_samples, _drawer(data)),
            evaluation,
            *_checkpoints(folder, evaluation.headline),
            *([LearningRateMonitor()] if config.logger else []),
            *([EMAWeightAveraging(decay=config.ema)] if config.ema else []),
        ],
    )
    for logger in trainer.loggers:
        logger.log_hyperparams(description["config"])
    last = folder / "checkpoints" / "last.ckpt"
    trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not trainer.is_global_zero:
        return {}
    if evaluation.untrained is not None:
        manifest["untrained"] = evaluation.untrained.to_json()
    metrics = _validate_best(config, data, module, folder)
    draw_curves(read_curves(folder), evaluation.headline, folder / "curves.png", experiment)
    manifest |= {"seconds": time.monotonic() - started, "state": "finished"}
    write_json(folder / "run.json", manifest)
    return metrics


def _validate_best(
    config: DictConfig, data: PoseData, module: PoseModule, folder: Path
) -> dict[str, Any]:
    """Write predictions, their pictures and metrics of the best checkpoint; the metrics record.

    On one device: nothing is left to merge, and averaging callbacks are out of the way.
    """
    best = folder / "checkpoints" / "best.ckpt"
    weights = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    build.restore(module, weights, best)
    evaluation = _evaluation(config, data, folder)
    alone = OmegaConf.merge(config, {"trainer": {"devices": 1, "strategy": "auto"}})
    assert isinstance(alone, DictConfig)
    build.trainer(alone, None, [evaluation]).validate(module, datamodule=data, verbose=False)
    assert evaluation.metrics is not None
    _draw_found(data, evaluation.file)
    record: dict[str, Any] = evaluation.metrics.to_json()
    write_json(folder / "metrics.json", record)
    return record


def _draw_found(data: PoseData, file: Path, count: int = 12) -> None:
    """A sheet of validation pictures with the poses found in them, beside the predictions."""
    predictions, table = read_predictions(file), data.val.annotations
    cells = []
    for row in np.linspace(0, len(table) - 1, min(count, len(table))).astype(int):
        found = predictions.take(np.flatnonzero(predictions.image_ids == table.image_ids[row]))
        image = read_picture(data.val.pictures / table.file_name(row))
        drawn = draw_poses(image, found.keypoints, found.keypoint_scores > SHOWN, table.skeleton)
        cells.append(fit_into(drawn, (256, 256)))
    with replacing(file.with_name("pictures.jpg")) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4)[:, :, ::-1])


def _evaluation(config: DictConfig, data: PoseData, folder: Path) -> PoseEvaluation:
    return PoseEvaluation(
        build.evaluator(config), data.val.annotations, folder / "predictions" / "val.json"
    )


def _checkpoints(folder: Path, headline: str) -> list[pl.Callback]:
    """The best by the evaluator's headline metric, and the last after every epoch."""
    keep = partial(ModelCheckpoint, dirpath=folder / "checkpoints", enable_version_counter=False)
    return [
        keep(filename="best", monitor=f"val/{headline}", mode="max"),
        keep(filename="last", save_on_train_epoch_end=True),
    ]


def _drawer(data: PoseData) -> Any:
    def draw(image: Any, keypoints: Any, scores: Any) -> Any:
        return draw_poses(image, keypoints, scores > SHOWN, data.skeleton)

    return draw
