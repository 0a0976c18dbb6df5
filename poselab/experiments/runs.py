"""Run folders: where a run lies, what it was made of, and whether it is finished."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf

from poselab.annotations import fingerprint_of
from poselab.experiments import build
from poselab.io.files import read_bytes, read_json, write_bytes, write_json
from poselab.models.cost import cost
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.data import PoseData
    from poselab.data.dataset import Split
    from poselab.modules import PoseModule

_PACKAGES = ("poselab", "torch", "pytorch-lightning", "timm", "numpy", "hotcoco", "pycocotools")
_FOLDER_OF_RANK_0 = "POSELAB_RUN_FOLDER"
"""Environment variable by which Lightning's child processes learn the folder of their run."""


def new_folder(config: DictConfig, experiment: str) -> Path:
    """The folder of a new run: ``folder`` where the config names one, else by name and time.

    Raises:
        InputError: it holds something already, is no folder, or ranks could not agree on it.
    """
    if "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return _folder_of_all_ranks(config)
    folder = config.folder
    if folder is None:
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        folder = Path(config.runs) / re.sub(r"[^\w/.-]+", "-", experiment) / stamp
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a new run folder, found a file at {folder}; choose another")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"expected a new run folder, found {folder} with files in it; continue that run with "
            f"resume={folder}, or choose another folder="
        )
    os.environ[_FOLDER_OF_RANK_0] = str(folder)
    return folder


def _folder_of_all_ranks(config: DictConfig) -> Path:
    """The folder in one of several processes, which a clock read by each could not name."""
    named = os.environ.get(_FOLDER_OF_RANK_0) or config.folder
    if named is None:
        raise InputError(
            "expected folder=NEW_FOLDER where a launcher outside of PoseLab starts the processes, "
            "got none; give the same to all"
        )
    return Path(named)


def settle(config: DictConfig, folder: Path) -> dict[str, Any] | None:
    """The metrics of a finished run of this very config in ``folder``, None if it must train.

    Raises:
        InputError: the folder holds a run of another config, or its labels have changed since.
    """
    if not (folder / "config.yaml").exists():
        return None
    before, _ = reopen(folder)
    if _essence(before) != _essence(config):
        raise InputError(
            f"expected the run in {folder} to have this config, found another one; move that "
            "folder away or choose another runs="
        )
    if not is_finished(folder):
        return None
    _refuse_changed_labels(folder)
    return dict(read_json(folder / "metrics.json", "metrics"))


def _refuse_changed_labels(folder: Path) -> None:
    """A finished run answers for the labels that it was trained and validated on."""
    manifest = read_json(folder / "run.json", "a run's manifest")
    for split, labels in (manifest.get("data") or {}).items():
        now = fingerprint_of(Path(labels["annotations"]))
        if now not in (None, labels["fingerprint"]):
            raise InputError(
                f"expected the {split} labels that the finished run in {folder} was made with "
                f"(fingerprint {labels['fingerprint']}), found {labels['annotations']} changed "
                f"since ({now}); restore them, or move that folder away to train anew"
            )


def _essence(config: DictConfig) -> Any:
    """What of a config decides a run's figures: not where it lies, nor how it is logged."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    told = ("folder", "runs", "logger", "published")
    begun = {"weights": plain.get("weights")} if plain.get("weights") else {}
    return {k: v for k, v in plain.items() if k not in (*told, "weights")} | begun


def reopen(folder: Path) -> tuple[DictConfig, str]:
    """The config and the experiment's name of a run that exists.

    Raises:
        InputError: it is not the folder of a run.
    """
    manifest = read_json(folder / "run.json", "a run's manifest")
    text = read_bytes(folder / "config.yaml", "a run's config")
    try:
        config = OmegaConf.create(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        config = None
    if not isinstance(config, DictConfig) or not isinstance(manifest, dict):
        raise InputError(
            f"expected a run's config.yaml and run.json in {folder}, found them broken"
        )
    return config, str(manifest.get("experiment", "custom"))


def checkpoint(folder: Path) -> Path:
    """A run's best checkpoint, or its last where none was validated."""
    best, last = (folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    return last if last.exists() and not best.exists() else best


def seconds(folder: Path) -> float:
    """How long a run has trained so far, as far as it noted."""
    file = folder / "run.json"
    return float(read_json(file, "a run's manifest").get("seconds", 0.0)) if file.exists() else 0.0


def is_finished(folder: Path) -> bool:
    """Whether a run has trained to its end and has metrics."""
    manifest = folder / "run.json"
    if not (manifest.exists() and (folder / "metrics.json").exists()):
        return False
    return bool(read_json(manifest, "a run's manifest").get("state") == "finished")


def begin(
    config: DictConfig,
    experiment: str,
    folder: Path,
    data: PoseData,
    module: PoseModule,
    conditions: dict[str, Any],
) -> dict[str, Any]:
    """Write ``run.json`` and ``config.yaml``, in this order: a config stands for a run that can
    go on. Returns the manifest, which keeps when the run first began. What a killed process had
    half written is swept away. ``conditions`` are the run's part of the contract, which other
    commands find there.

    Raises:
        InputError: the folder cannot be written, or its run was trained on other labels.
    """
    file, made = folder / "run.json", _manifest(config, experiment, data, module)
    made["comparability"] = conditions
    if file.exists():
        before = read_json(file, "a run's manifest")
        _refuse_other_labels(folder, before.get("data") or {}, made["data"])
        made["started"] = before["started"]
        made["seconds"] = seconds(folder)
    for unfinished in (folder / "checkpoints").glob(".*.ckpt"):
        unfinished.unlink(missing_ok=True)
    write_json(file, made)
    write_bytes(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True).encode())
    return made


def _refuse_other_labels(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Epochs on other labels would be told as one run; nothing is lost where none was trained."""
    if not (folder / "checkpoints" / "last.ckpt").exists():
        return
    for split, labels in now.items():
        began = before.get(split) or labels
        if any(began[key] != labels[key] for key in ("fingerprint", "images", "instances")):
            raise InputError(
                f"expected the {split} labels with which {folder} was trained ({began['people']} "
                f"people in {began['images']} images, fingerprint {began['fingerprint']}), "
                f"found others in {labels['annotations']} ({labels['people']} in "
                f"{labels['images']}, {labels['fingerprint']}); restore them or train a new run"
            )


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
            "processor": _processor(),
            "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
            **{name: version(name) for name in _PACKAGES},
        },
        "git": _revision(),
        "data": {"train": _fingerprint(data.train), "val": _fingerprint(data.val)},
        "cost": cost(module.net, (height, width))._asdict(),
    }


def _processor() -> str:
    """The processor's name and how many of it the system counts."""
    listed = Path("/proc/cpuinfo")  # Linux alone, where Python knows no name
    text = listed.read_text() if listed.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = named.group(1) if named else platform.processor() or platform.machine()
    return f"{os.cpu_count()} × {name}"


def _fingerprint(split: Split) -> dict[str, Any]:
    table = split.annotations
    return {
        "annotations": table.source,
        "fingerprint": table.fingerprint,
        "images": len(table),
        "instances": table.instances,
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


def expect_one_device(config: DictConfig) -> None:
    """Sweeps and suites train in this process, which Lightning cannot start again as ranks.

    Raises:
        InputError: the trainer would use several devices.
    """
    devices, accelerator = config.trainer.devices, config.trainer.accelerator
    count = len(devices) if OmegaConf.is_list(devices) else devices
    if devices == "auto" and accelerator != "cpu":
        count = max(torch.cuda.device_count(), 1)
    if count not in (1, "1", "auto"):
        raise InputError(
            f"expected one device for several runs in one process, got {count}; add "
            "trainer.devices=1, or start each run with `poselab train`"
        )
