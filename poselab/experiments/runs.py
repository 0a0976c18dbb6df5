"""Run folders: where a new run goes, and what an existing one holds."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from poselab.annotations import fingerprint_of
from poselab.evaluation.run_record import read_metrics_record, read_run_record
from poselab.experiments.config.stored import read_stored_config
from poselab.experiments.device import count_devices
from poselab.io.files import read_bytes
from poselab.io.folders import check_output_folder, make_new
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omegaconf import DictConfig

_FOLDER_OF_RANK_0 = "POSELAB_RUN_FOLDER"
"""Environment variable by which Lightning's child processes learn the folder of their run."""

_NOT_DEFINING = ("folder", "runs", "logger", "published")
"""Config keys that do not change a run's metric values."""


def new_folder(config: DictConfig, experiment: str) -> Path:
    """The folder of a new run: ``config.folder`` if it is set, else RUNS/EXPERIMENT/STAMP.

    Runs that start in the same second get STAMP, STAMP-2, ...

    Raises:
        InputError: the folder has files in it, is a file, cannot be made, or several processes of
            an external launcher would choose different ones.
    """
    if "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return _folder_of_all_ranks(config)
    for key in ("runs", "folder"):
        if not isinstance(name := config.get(key), str | None) or name == "":
            raise InputError(
                f"expected {key} to be the path of a folder, got {shortened(name)}; correct it"
            )
    if config.folder is None:
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        named = Path(config.runs) / re.sub(r"[^\w/.-]+", "-", experiment) / stamp
        folder = make_new(named)
    else:
        folder = Path(config.folder)
        _check_new(folder)
    os.environ[_FOLDER_OF_RANK_0] = str(folder)
    return folder


def _check_new(folder: Path) -> None:
    check_output_folder(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"expected a new run folder, found {folder} with files in it; continue that run with "
            f"resume={folder}, or choose another folder="
        )


def _folder_of_all_ranks(config: DictConfig) -> Path:
    """The folder that every process uses; a time stamp would differ between them."""
    named = os.environ.get(_FOLDER_OF_RANK_0) or config.folder
    if named is None:
        raise InputError(
            "expected folder=NEW_FOLDER where a launcher outside of PoseLab starts the processes, "
            "got none; give the same to all"
        )
    return Path(named)


def load_run(folder: Path) -> tuple[DictConfig, str]:
    """The config and the experiment name of an existing run.

    Raises:
        InputError: ``folder`` does not hold a run.
    """
    manifest = read_manifest(folder)
    config = read_stored_config(
        read_bytes(folder / "config.yaml", "a run's config"), folder / "config.yaml"
    )
    return config, str(manifest.get("experiment", "custom"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of a run's ``run.json``.

    Raises:
        InputError: there is none, or it is no record of a run.
    """
    return read_run_record(folder / "run.json")


def best_checkpoint(folder: Path) -> Path:
    """A run's best checkpoint, or its last if the run never validated."""
    best, last = (folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    return last if last.exists() and not best.exists() else best


def seconds_trained(folder: Path) -> float:
    """How long a run has trained so far, in all its sessions; 0 for a new run."""
    if not (folder / "run.json").exists():
        return 0.0
    return float(read_manifest(folder).get("seconds", 0.0))


def is_finished(folder: Path) -> bool:
    """Whether a run has trained to its end and has metrics."""
    if not ((folder / "run.json").exists() and (folder / "metrics.json").exists()):
        return False
    return bool(read_manifest(folder).get("state") == "finished")


def has_trained(folder: Path, epochs: int) -> bool:
    """Whether a run has trained this many epochs to its end; it may lack its report."""
    if not (folder / "run.json").exists():
        return False
    ended = read_manifest(folder).get("state") in ("trained", "finished")
    return ended and load_run(folder)[0].trainer.max_epochs == epochs


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics record of a finished run.

    Raises:
        InputError: the run is not finished; the sentence says how to finish it.
    """
    state = read_manifest(folder).get("state")
    if state == "trained":
        raise InputError(
            f"expected a finished run, found {folder} trained but not reported; write its metrics "
            f"with `poselab report {folder}`"
        )
    if state == "running":
        raise InputError(
            f"expected a finished run, found {folder} interrupted; go on with `poselab train "
            f"resume={folder}`"
        )
    return read_metrics_record(folder / "metrics.json")


def finished_metrics(config: DictConfig, folder: Path) -> dict[str, Any] | None:
    """The metrics record of a finished run of this config; None if it still has to train.

    Raises:
        InputError: the folder holds a run of another config, or the annotations have changed.
    """
    if not (folder / "config.yaml").exists():
        return None
    before, _ = load_run(folder)
    if _defining_config(before) != _defining_config(config):
        raise InputError(
            f"expected the run in {folder} to have this config, found another one; move that "
            "folder away or choose another runs="
        )
    if not is_finished(folder):
        return None
    _check_annotations_unchanged(folder)
    return read_metrics(folder)


def _defining_config(config: DictConfig) -> Mapping[str, Any]:
    """The part of a config that decides a run's metric values."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    if (
        plain.get("weights") is None
    ):  # runs made before this and some keys of data existed lack them
        plain.pop("weights", None)
    if isinstance(plain.get("data"), dict):
        data = {**plain["data"], "outside_images": None}  # a permission, which no run keeps
        plain["data"] = {key: value for key, value in data.items() if value is not None}
    return {str(key): value for key, value in plain.items() if key not in _NOT_DEFINING}


def _check_annotations_unchanged(folder: Path) -> None:
    for split, record in read_manifest(folder).get("data", {}).items():
        if not {"annotations", "fingerprint"} <= record.keys():
            continue
        now = fingerprint_of(Path(record["annotations"]))
        if now not in (None, record["fingerprint"]):
            raise InputError(
                f"expected the {split} annotations that the finished run in {folder} was made with "
                f"(fingerprint {record['fingerprint']}), found {record['annotations']} "
                f"changed since ({now}); restore them, or move that folder away to train anew"
            )


def check_one_device(config: DictConfig) -> None:
    """Sweeps and suites train in this process, which Lightning cannot start again as ranks.

    Raises:
        InputError: the trainer would use several devices, or only try a few batches.
    """
    count = count_devices(config.trainer)
    if count != 1:
        raise InputError(
            f"expected one device for several runs in one process, got {count}; add "
            "trainer.devices=1, or start each run with `poselab train`"
        )
    if config.trainer.get("fast_dev_run"):
        raise InputError(
            "expected runs with metrics for a suite, an ablation or a sweep, got "
            f"trainer.fast_dev_run={config.trainer.fast_dev_run}, which keeps none; try one "
            "experiment with `poselab train` or `poselab check`"
        )
