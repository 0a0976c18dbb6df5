"""Training a run: from a composed config to checkpoints, predictions, metrics and a report."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EMAWeightAveraging, LearningRateMonitor
from pytorch_lightning.utilities import rank_zero_only

from poselab.experiments import build, runs
from poselab.experiments.comparability import run_comparability
from poselab.experiments.config.authors import other_settings_warning
from poselab.experiments.config.total_batch import total_batch_warning
from poselab.experiments.data_warnings import data_warnings, orientation_notes, sides_note
from poselab.experiments.fine_tuning import start_from_weights
from poselab.experiments.manifest import check_same_annotations, start_run
from poselab.experiments.prediction.pose_sheet import KEYPOINT_THRESHOLD
from poselab.experiments.reporting import write_report
from poselab.io.checkpoints import LatestBestCheckpoint, epochs_trained, read_checkpoint
from poselab.io.files import read_json, write_json
from poselab.io.folders import only_writer
from poselab.report.draw import draw_poses
from poselab.training.callbacks import DescribeCheckpoint, PoseImages, RunTime, SeedEachEpoch
from poselab.training.fit import fit, wandb_files_in
from poselab.training.progress import ProgressLines
from poselab.training.validation import PoseEvaluation, check_scorable

if TYPE_CHECKING:
    from poselab.data import PoseData
    from poselab.evaluation.evaluator import Evaluator
    from poselab.modules import PoseModule
    from poselab.structures import Skeleton

_TRIED = (
    "tried {} batch(es) of training and of validation (trainer.fast_dev_run): no checkpoint, no "
    "predictions and no metrics are kept; leave that option out to train"
)


def train_run(config: DictConfig, folder: Path, experiment: str) -> dict[str, Any]:
    """Train in ``folder``, from its last checkpoint if there is one; the run's metrics record.

    Writes what ``poselab train --help`` lists. A run that has trained all its epochs is only
    reported. The record is empty on the other ranks of a distributed run, and where
    ``trainer.fast_dev_run`` only tries a few batches.

    Raises:
        InputError: the config, the data or the folder cannot be used, or another process trains in
            the folder; nothing is trained then.
        FloatingPointError: training diverged.
        KeyboardInterrupt, SystemExit: the user or the system interrupted it; the last whole epoch
            is kept.
    """
    # The other ranks write to the folder that rank 0 has locked for all of them.
    first = rank_zero_only.rank == 0  # type: ignore[attr-defined]  # set where it is imported
    with only_writer(folder) if first else nullcontext():
        if not runs.has_trained(folder, config.trainer.max_epochs):
            return _train(config, folder, experiment)
        return report_run(config, folder, experiment) if first else {}


def report_run(config: DictConfig, folder: Path, experiment: str) -> dict[str, Any]:
    """Report a run that has trained, without training; its metrics record.

    Predictions that are missing are made again by the best checkpoint.

    Raises:
        InputError: the config or the data cannot be used, or the annotations have changed.
    """
    evaluator, data = build.evaluator(config), build.data(config)
    manifest = runs.read_manifest(folder)
    check_same_annotations(folder, manifest, data)
    evaluation = _evaluation(evaluator, data, folder, manifest.get("comparability", {}))
    if not evaluation.file.exists():
        module = _initial_module(config, data, folder)
        _predict_last_checkpoint(config, data, module, evaluation, folder)
    return write_report(config, data, folder, experiment, manifest).to_json()


def _train(config: DictConfig, folder: Path, experiment: str) -> dict[str, Any]:
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    pl.seed_everything(config.seed, workers=False, verbose=False)
    evaluator, data = build.evaluator(config), build.data(config)
    module = _initial_module(config, data, folder)
    comparability = run_comparability(data, module)
    evaluation = _evaluation(evaluator, data, folder, comparability)
    run_time = RunTime(runs.seconds_trained(folder), folder / "run.json")
    callbacks = _callbacks(config, data, folder, evaluation)
    trainer = build.trainer(_with_progress(config), folder, [*callbacks, run_time])
    if trainer.is_global_zero:
        _tell_before_training(config, experiment, data, evaluation)
    manifest = start_run(config, experiment, folder, data, module, comparability)

    with wandb_files_in(folder):
        for logger in trainer.loggers:
            logger.log_hyperparams(build.checkpoint_record(config, data.skeleton)["config"])
        fit(trainer, module, data, _resume_from_last(module, data, folder))
    if not trainer.is_global_zero:
        return {}
    if batches := int(config.trainer.get("fast_dev_run") or 0):
        write_json(folder / "run.json", manifest | {"state": "tried"})
        print(_TRIED.format(batches))
        return {}
    if not evaluation.file.exists():
        _predict_last_checkpoint(config, data, module, evaluation, folder)
    if evaluation.untrained_file.exists():
        manifest["untrained"] = read_json(evaluation.untrained_file, "metrics")
    manifest |= {"seconds": run_time.seconds(), "state": "trained"}
    write_json(folder / "run.json", manifest)
    return write_report(config, data, folder, experiment, manifest).to_json()


def _tell_before_training(
    config: DictConfig, experiment: str, data: PoseData, evaluation: PoseEvaluation
) -> None:
    """Say on stderr what is questionable, and which keypoints a flip swaps."""
    for note in filter(None, [sides_note(data.skeleton), *orientation_notes(data)]):
        print(note, file=sys.stderr)
    recipe = (total_batch_warning(config), other_settings_warning(experiment, config))
    for warning in filter(None, [*recipe, *data_warnings(config, data, evaluation.evaluator)]):
        print(f"warning: {warning}", file=sys.stderr)


def _initial_module(config: DictConfig, data: PoseData, folder: Path) -> PoseModule:
    """The module before its first step: with ``config.weights``, unless a checkpoint follows.

    Raises:
        InputError: there are no such weights, or they are those of another network.
    """
    if not config.get("weights"):
        return build.module(config, data.skeleton)
    build.leave_out_pretrained(config)  # the run's weights replace them
    module = build.module(config, data.skeleton)
    if not _last_checkpoint(folder).exists():
        start_from_weights(Path(config.weights), module, config)
    return module


def _last_checkpoint(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def _evaluation(
    evaluator: Evaluator, data: PoseData, folder: Path, comparability: dict[str, Any]
) -> PoseEvaluation:
    """The callback that scores each validation, after checking that it can score these annotations.

    Raises:
        InputError: the evaluator cannot score such predictions and annotations.
    """
    annotations = data.val.annotations
    annotated_boxes = bool((data.val_samples.items.person >= 0).all())
    check_scorable(evaluator, annotations, annotated_boxes)
    file = folder / "predictions" / "val.json"
    return PoseEvaluation(evaluator, annotations, file, comparability)


def _callbacks(
    config: DictConfig, data: PoseData, folder: Path, evaluation: PoseEvaluation
) -> list[pl.Callback]:
    metric = evaluation.primary_metric
    progress_bar = _with_progress(config).trainer.enable_progress_bar
    keep = partial(
        LatestBestCheckpoint, dirpath=folder / "checkpoints", enable_version_counter=False
    )
    description = build.checkpoint_record(config, data.skeleton)
    return [
        DescribeCheckpoint(build.CHECKPOINT_KEY, description),
        PoseImages(data.val_samples, partial(_draw, skeleton=data.skeleton)),
        evaluation,
        keep(filename="best", monitor=f"val/{metric}", mode="max"),
        keep(filename="last", save_on_train_epoch_end=True),
        SeedEachEpoch(config.seed),
        *([LearningRateMonitor()] if config.logger else []),
        *([EMAWeightAveraging(decay=config.ema)] if config.ema else []),
        *([] if progress_bar else [ProgressLines(metric)]),
    ]


def _draw(image: Any, keypoints: Any, scores: Any, skeleton: Skeleton) -> Any:
    return draw_poses(image, keypoints, scores > KEYPOINT_THRESHOLD, skeleton)


def _with_progress(config: DictConfig, **trainer: Any) -> DictConfig:
    """The config with changes of its trainer, and a progress bar only on a terminal."""
    bar = config.trainer.get("enable_progress_bar", True) and sys.stdout.isatty()
    merged = OmegaConf.merge(config, {"trainer": {"enable_progress_bar": bar, **trainer}})
    assert isinstance(merged, DictConfig)
    return merged


def _resume_from_last(module: PoseModule, data: PoseData, folder: Path) -> Path | None:
    """The run's last checkpoint, from which Lightning resumes; None for a new run.

    Raises:
        InputError: the checkpoint is broken, or of another method.
    """
    last = _last_checkpoint(folder)
    if not last.exists():
        return None
    content = read_checkpoint(last, build.CHECKPOINT_KEY)
    build.restore(module, content["state_dict"], last)
    data.first_epoch = epochs_trained(content, last)
    return last


def _predict_last_checkpoint(
    config: DictConfig, data: PoseData, module: PoseModule, evaluation: PoseEvaluation, folder: Path
) -> None:
    """Write the validation predictions of a run that never validated an epoch.

    On one device: nothing is left to merge, and no callback averages weights.
    """
    checkpoint = runs.best_checkpoint(folder)
    content = read_checkpoint(checkpoint, build.CHECKPOINT_KEY)
    build.restore(module, content["state_dict"], checkpoint)
    alone = _with_progress(config, devices=1, strategy="auto")
    build.trainer(alone, None, [evaluation]).validate(module, datamodule=data, verbose=False)
