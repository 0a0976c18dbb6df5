"""Runs: one folder each, from a resolved config to checkpoints, predictions and metrics."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint

from poselab import build
from poselab.files import read_json, write_bytes, write_json
from poselab.models.cost import cost
from poselab.modules.callbacks import DescribeCheckpoint, PosePictures, SeedEachEpoch
from poselab.modules.evaluating import PoseEvaluation
from poselab.report.draw import draw_poses
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.data import PoseData
    from poselab.data.dataset import Split
    from poselab.modules import PoseModule

_PACKAGES = ("poselab", "torch", "pytorch-lightning", "timm", "numpy", "hotcoco", "pycocotools")


def new_folder(config: DictConfig, experiment: str) -> Path:
    """The folder of a new run: ``folder`` where the config names one, else by name and time.

    Raises:
        InputError: it holds something already.
    """
    folder = config.folder
    if folder is None:
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        folder = Path(config.runs) / re.sub(r"[^\w/.-]+", "-", experiment) / stamp
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"expected a new run folder, found {folder} with files in it; continue that run with "
            f"resume={folder}, or choose another folder="
        )
    return folder


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
    resolved = OmegaConf.to_container(config, resolve=True)
    assert isinstance(resolved, dict)
    description = build.described({str(k): v for k, v in resolved.items()}, data.skeleton)
    manifest = _manifest(config, experiment, data, module)
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
    metrics = validate_best(config, data, module, folder)
    manifest |= {"seconds": time.monotonic() - started, "state": "finished"}
    write_json(folder / "run.json", manifest)
    return metrics


def validate_best(
    config: DictConfig, data: PoseData, module: PoseModule, folder: Path
) -> dict[str, Any]:
    """Write predictions and metrics of the best checkpoint; the metrics record."""
    import torch

    best = folder / "checkpoints" / "best.ckpt"
    weights = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    build.restore(module, weights, best)
    evaluation = _evaluation(config, data, folder)
    build.trainer(config, None, [evaluation]).validate(module, datamodule=data, verbose=False)
    assert evaluation.metrics is not None
    record: dict[str, Any] = evaluation.metrics.to_json()
    write_json(folder / "metrics.json", record)
    return record


def reopen(folder: Path) -> tuple[DictConfig, str]:
    """The config and the experiment's name of a run that exists.

    Raises:
        InputError: it is not the folder of a run.
    """
    manifest = read_json(folder / "run.json", "a run's manifest")
    config = OmegaConf.load(folder / "config.yaml")
    assert isinstance(config, DictConfig)
    return config, str(manifest["experiment"])


def is_finished(folder: Path) -> bool:
    """Whether a run has trained to its end and has metrics."""
    manifest = folder / "run.json"
    if not (manifest.exists() and (folder / "metrics.json").exists()):
        return False
    return bool(read_json(manifest, "a run's manifest").get("state") == "finished")


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
        return draw_poses(image, keypoints, scores > 0.2, data.skeleton)

    return draw


def _manifest(
    config: DictConfig, experiment: str, data: PoseData, module: PoseModule
) -> dict[str, Any]:
    """What a figure of this run depends on besides its config."""
    height, width = build.framing(config).size
    return {
        "experiment": experiment,
        "seed": config.seed,
        "state": "running",
        "command": sys.argv,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            **{name: version(name) for name in _PACKAGES},
        },
        "git": _revision(),
        "data": {"train": _fingerprint(data.train), "val": _fingerprint(data.val)},
        "cost": cost(module.net, (height, width))._asdict(),
    }


def _fingerprint(split: Split) -> dict[str, Any]:
    table = split.annotations
    return {
        "annotations": table.source,
        "fingerprint": table.fingerprint,
        "pictures": len(table),
        "people": table.people,
    }


def _revision() -> dict[str, Any] | None:
    """Git commit of PoseLab's own checkout and whether it was changed; None outside of one."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
