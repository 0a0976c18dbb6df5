"""Checks of a composed training config, before anything is built or trained.

Most values are checked by the class that uses them; this file checks those of Lightning and Hydra.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from poselab.data.datamodule import check_loader
from poselab.evaluation.statistics import check_replicates
from poselab.experiments import build
from poselab.experiments.config.close_names import unknown_key
from poselab.experiments.config.targets import find_target
from poselab.io.json_text import shortened
from poselab.ranges import check_number, check_seed, check_whole
from poselab.structures import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check_config(config: DictConfig) -> None:
    """Check seed, averaging, trainer, loader, framing and augmentation.

    Raises:
        InputError: a value is of the wrong type or out of range, or a key of framing is unknown.
    """
    check_seed(config.get("seed"))
    _check_report(config.get("report"))
    check_whole("trainer.max_epochs", config.trainer.get("max_epochs"), 1)
    if (clip := config.trainer.get("gradient_clip_val")) is not None:
        check_number("trainer.gradient_clip_val", clip, 0.0)
    if (decay := config.get("ema")) is not None:
        check_number("ema", decay, 0.0, 1.0)
        if decay == 1:
            raise InputError(
                "expected ema to be null or below 1, got 1, with which the average never "
                "changes; correct the value"
            )
    _check_every_image_is_validated(config)
    strategy = str(config.trainer.get("strategy"))
    if strategy.startswith(("ddp_fork", "ddp_notebook")):
        # A fork of a process whose libraries have started threads may wait forever for their locks.
        raise InputError(
            f"expected a trainer.strategy that does not fork, got {strategy}, which may wait "
            "forever; choose ddp, or ddp_spawn"
        )
    check_loader(config.data.get("batch_size"), config.data.get("workers"))
    if OmegaConf.select(config, "evaluator.sigmas") is not None:
        raise InputError(
            "expected OKS sigmas in data.sigmas, where training, `poselab evaluate` and `poselab "
            "compare` read them, got evaluator.sigmas; write data.sigmas instead"
        )
    _check_framing_keys(config)
    for key in ("framing", "augment"):
        build.instantiate_section(config, key)


def _check_report(report: Any) -> None:
    """``null``, or a section with a number of replicates."""
    if report is None:
        return
    if not OmegaConf.is_dict(report):
        raise InputError(
            f"expected report to be null or a section, got {shortened(report)}; write "
            "report.replicates=1000"
        )
    check_replicates("report.replicates", report.get("replicates"), least=0)


def _check_every_image_is_validated(config: DictConfig) -> None:
    """Images that Lightning's limits leave out of validation would be scored as missed."""
    for key, whole in (("limit_val_batches", (None, 0, 1.0)), ("overfit_batches", (None, 0))):
        value = config.trainer.get(key)
        # The number 1 is a single batch, 1.0 all of them; 0 validates nothing.
        if value not in whole or (value == 1 and isinstance(value, int)):
            raise InputError(
                f"expected no trainer.{key}, got {value}, with which images that are not "
                "validated would be scored as missed; data.limit=N trains and validates on the "
                "first N images, trainer.check_val_every_n_epoch=N validates less often"
            )


def _check_framing_keys(config: DictConfig) -> None:
    """Check that the framing has all keys that the experiment sets; ``framing=`` may replace it."""
    framing, module = (_class(config, key) for key in ("framing", "module"))
    if framing is None or module is None:
        return
    known = inspect.signature(framing).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    extra = [key for key in config.framing if not str(key).startswith("_") and key not in known]
    if not extra:
        return
    one_person = not getattr(module, "multi_person", False)
    if one_person != (getattr(framing, "max_instances", 1) == 1):
        raise InputError(
            f"expected framing of {'one person' if one_person else 'whole images'} for "
            f"{module.__name__}, got {framing.__name__}, which takes no {extra[0]}; choose another "
            "framing= or module="
        )
    raise unknown_key(
        f"framing.{extra[0]}", (f"framing.{name}" for name in known), framing.__name__
    )


def _class(config: DictConfig, key: str) -> Any:
    """The class that a section of the config names, None where there is no such class."""
    name = OmegaConf.select(config, f"{key}._target_")
    try:
        return find_target(name, key) if name else None
    except InputError:
        return None  # building the section raises the error
