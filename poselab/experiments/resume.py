"""Which changes a run can be resumed with, and which would make it another run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from poselab.experiments.config.checks import check_config
from poselab.experiments.config.close_names import keys_of, unknown_key
from poselab.experiments.config.overrides import override_value
from poselab.experiments.runs import has_trained, load_run, read_manifest
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TRAINER = (
    *("max_epochs", "check_val_every_n_epoch", "num_sanity_val_steps", "log_every_n_steps"),
    *("accelerator", "devices", "num_nodes", "strategy", "benchmark"),
    *("enable_progress_bar", "enable_model_summary", "profiler", "detect_anomaly"),
)
_CUSTOM = ("annotations", "images")
RESUMABLE = (
    *(f"trainer.{key}" for key in _TRAINER),
    *("data.workers", "data.sources.root", "data.outside_images"),
    *(f"data.sources.{split}.{file}" for split in ("train", "val") for file in _CUSTOM),
    *("logger", "report", "runs", "published"),
)
"""Keys, with all below them, of a run's epochs, devices, workers, logging and reports.

The data's folder is one of them, because a resumed run compares the annotations themselves.
"""

REPORTABLE = (
    *("report", "data.sources", "data.outside_images", "data.workers", "trainer.accelerator"),
)
"""Those that a run can be reported with."""


def check_trained_here(folder: Path) -> None:
    """Check that a run was trained and not imported: imported weights have no epoch to resume.

    Raises:
        InputError: the weights were imported; the message says how to fine-tune them.
    """
    manifest = read_manifest(folder)
    if manifest.get("state") != "imported":
        return
    origin = manifest.get("imported", {})
    words = [f"experiment={origin.get('experiment')}", *origin.get("changes", ())]
    raise InputError(
        f"expected a run trained by PoseLab to resume, found imported weights in {folder}; "
        f"fine-tune them in a new run: poselab train {shlex.join([*words, f'weights={folder}'])}"
    )


def check_trained(folder: Path) -> None:
    """Check that a run has trained all its epochs, so that it can be reported.

    Raises:
        InputError: it has not; the message says how to go on.
    """
    check_trained_here(folder)
    if not has_trained(folder, load_run(folder)[0].trainer.max_epochs):
        raise InputError(
            f"expected a run that has trained all its epochs, found {folder} interrupted; go on "
            f"with `poselab train resume={folder}`, which reports it too"
        )


def with_changes(
    folder: Path,
    config: DictConfig,
    changes: Sequence[str],
    allowed: Sequence[str] = RESUMABLE,
) -> DictConfig:
    """The config of the run in ``folder`` with KEY=VALUE changes of ``allowed`` keys.

    Raises:
        InputError: an unknown key, or a change that would make it another run.
    """
    before = config.copy()
    if config.get("report") is None and any(c.startswith("report.") for c in changes):
        config.report = {"replicates": 0}
    OmegaConf.set_struct(config, True)
    for change in changes:
        _check_single_value(folder, config, change)
    try:
        for change in changes:
            OmegaConf.update(config, change.partition("=")[0], override_value(change))
    except OmegaConfBaseException as error:
        raise InputError(
            f"expected values that fit {folder / 'config.yaml'}, but {str(error).splitlines()[0]}; "
            "correct them"
        ) from None
    check_config(config)
    for change in changes:
        _check_allowed(folder, before, config, change, allowed)
    if config.trainer.max_epochs < before.trainer.max_epochs:
        _check_epochs_ahead(folder, config.trainer.max_epochs)
    return config


def _check_single_value(folder: Path, config: DictConfig, change: str) -> None:
    """A change must name a single value: config groups are not composed again."""
    key, equals, _ = change.partition("=")
    if not equals or OmegaConf.is_dict(_selected(config, key)):
        raise InputError(
            f"expected KEY=VALUE of a single value to change when resuming, got {change!r}; "
            "name the value inside, such as trainer.max_epochs=20"
        )
    known = keys_of(config)
    if key not in known and _selected(config, key) is None:
        raise unknown_key(key, known, str(folder / "config.yaml"))


def _selected(config: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return None


def _check_allowed(
    folder: Path, before: DictConfig, after: DictConfig, change: str, allowed: Sequence[str]
) -> None:
    key = change.partition("=")[0]
    old, new = (OmegaConf.select(config, key) for config in (before, after))
    if old == new or any(key == name or key.startswith(f"{name}.") for name in allowed):
        return
    what = "epochs, devices, workers, logging or reports when resuming (trainer.max_epochs, "
    what += "data.workers, logger, ...)"
    if allowed is REPORTABLE:
        what = f"{', '.join(REPORTABLE)} when reporting"
    raise InputError(
        f"expected only changes of {what}, got {change} where {folder} has {old}; train a new run "
        "with it"
    )


def _check_epochs_ahead(folder: Path, wanted: int) -> None:
    """A run must not end before the epoch that it has reached."""
    from poselab.experiments import build
    from poselab.io.checkpoints import epochs_trained, read_checkpoint

    last = folder / "checkpoints" / "last.ckpt"
    if not last.exists():
        return
    trained = epochs_trained(read_checkpoint(last, build.CHECKPOINT_KEY), last)
    if wanted < trained:
        raise InputError(
            f"expected trainer.max_epochs of {trained} or more, the epochs that {folder} has "
            f"trained, got {wanted}; train a new run for fewer"
        )
