"""``run.json``: the environment, code, data and cost that a run's metric values depend on."""

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
from omegaconf import DictConfig, OmegaConf

from poselab.experiments import build
from poselab.experiments.runs import read_manifest, seconds_trained
from poselab.io.files import write_bytes, write_json
from poselab.models.cost import network_cost
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poselab.data import PoseData
    from poselab.datasets.base import Split
    from poselab.modules import PoseModule

_PACKAGES = ("poselab", "torch", "pytorch-lightning", "timm", "numpy", "hotcoco", "pycocotools")


def start_run(
    config: DictConfig,
    experiment: str,
    folder: Path,
    data: PoseData,
    module: PoseModule,
    comparability: Mapping[str, Any],
) -> dict[str, Any]:
    """Write ``run.json`` and ``config.yaml`` of a run that starts or resumes; the manifest.

    ``comparability`` (:func:`poselab.experiments.comparability.run_comparability`) is kept in the
    manifest, where `evaluate` and `compare` read it. A resumed run keeps its start time.

    Raises:
        InputError: the folder cannot be written, or its run was trained on other annotations.
    """
    manifest = {
        **_origin(config, experiment),
        "data": _data_record(data),
        "cost": cost_record(config, module),
        "comparability": dict(comparability),
        "annotation_options": data.options.to_record(),
    }
    if (folder / "run.json").exists():
        before = read_manifest(folder)
        check_same_annotations(folder, before, data)
        manifest |= {
            "started": before.get("started", manifest["started"]),
            "seconds": seconds_trained(folder),
        }
    for unfinished in (folder / "checkpoints").glob(".*.ckpt"):  # left by a killed process
        unfinished.unlink(missing_ok=True)
    write_run(folder, config, manifest)
    return manifest


def write_run(folder: Path, config: DictConfig, manifest: Mapping[str, Any]) -> None:
    """Write the two files that make a folder a run; the config last, as it makes a run resumable.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    write_json(folder / "run.json", manifest)
    write_bytes(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True).encode())


def cost_record(config: DictConfig, module: PoseModule) -> dict[str, Any]:
    """Parameters and multiply-adds of a module's network for one input of the config's size."""
    height, width = build.framing(config).size
    return dict(network_cost(module.net, (height, width))._asdict())


def _origin(config: DictConfig, experiment: str) -> dict[str, Any]:
    """The experiment, the command, the start time, the machine and the code."""
    return {
        "experiment": experiment,
        "seed": config.seed,
        "state": "running",
        "command": sys.argv,
        "started": now(),
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": processor(),
            "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
            **{name: version(name) for name in _PACKAGES},
        },
        "git": _git_revision(),
    }


def now() -> str:
    """The local time with its zone, to the second, as ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def processor() -> str:
    """The number of processors that the system counts, and their name."""
    linux = Path("/proc/cpuinfo")  # Python knows the name everywhere else
    text = linux.read_text() if linux.exists() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = match.group(1) if match else platform.processor() or platform.machine()
    return f"{os.cpu_count()} × {name}"


def _data_record(data: PoseData) -> dict[str, Any]:
    return {"train": _annotations_record(data.train), "val": _annotations_record(data.val)}


def _annotations_record(split: Split) -> dict[str, Any]:
    table = split.annotations
    return {
        "annotations": table.source,
        "fingerprint": table.fingerprint,
        "images": len(table),
        "instances": table.num_instances,
    }


def check_same_annotations(folder: Path, manifest: Mapping[str, Any], data: PoseData) -> None:
    """Check that a run's annotations are those of its epochs so far; anything fits no epoch.

    Raises:
        InputError: they have changed since.
    """
    if not (folder / "checkpoints" / "last.ckpt").exists():
        return
    before = manifest.get("data") or {}
    for split, found in _data_record(data).items():
        trained = before.get(split) or found
        if any(
            trained.get(key, found[key]) != found[key]
            for key in ("fingerprint", "images", "instances")
        ):
            raise InputError(
                f"expected the {split} annotations with which {folder} was trained "
                f"({_in_words(trained)}), found others in {found['annotations']} "
                f"({_in_words(found)}); restore them or train a new run"
            )


def _in_words(record: Mapping[str, Any]) -> str:
    instances, images = record.get("instances", "?"), record.get("images", "?")
    return f"{instances} instances in {images} images, fingerprint {record.get('fingerprint')}"


def _git_revision() -> dict[str, Any] | None:
    """Git commit of PoseLab's own checkout and whether it is changed; None outside of one."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
