"""Values of a training config that would only fail deep inside, refused before anything begins."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class
from omegaconf import OmegaConf

from poselab.experiments.near_names import unknown_key
from poselab.structures import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_LEAST = {"seed": 0, "trainer.max_epochs": 1}
"""Whole numbers and the least that makes sense."""
_RANGES = {
    "trainer.gradient_clip_val": (0.0, math.inf),
}
"""Numbers that a config may lack, and from where to where they make sense."""


def expect_values(config: DictConfig) -> None:
    """Check what every training config has.

    Raises:
        InputError: one of its values cannot be meant.
    """
    from poselab.data.datamodule import check_loader
    from poselab.experiments import build

    for key, least in _LEAST.items():
        value = OmegaConf.select(config, key)
        _expect(_whole(value, least), key, f"a whole number from {least} up", value)
    check_loader(config.data.get("batch_size"), config.data.get("workers"))
    _expect_fitting_framing(config)
    for key in ("framing", "augment"):  # their classes check their values
        build.instantiate_section(config, key)
    for key, (low, high) in _RANGES.items():
        value = OmegaConf.select(config, key, default=low)
        unclipped = value is None and key == "trainer.gradient_clip_val"
        fits = unclipped or (_number(value) and low <= value <= high)
        reach = f"from {low:g} up" if high == math.inf else f"from {low:g} to {high:g}"
        _expect(fits, key, f"a number {reach}", value)
    ema = OmegaConf.select(config, "ema")
    _expect(ema is None or (_number(ema) and 0 <= ema < 1), "ema", "null, or from 0 below 1", ema)


def _expect_fitting_framing(config: DictConfig) -> None:
    """What an experiment says of its own framing is unknown to another one of ``framing=``."""
    shown, module = (_class(config, key) for key in ("framing", "module"))
    if shown is None or module is None:
        return
    taken = inspect.signature(shown).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    extra = [key for key in config.framing if not str(key).startswith("_") and key not in taken]
    wanted = "whole images" if getattr(module, "multi_person", False) else "one person"
    if extra and (wanted == "one person") != (getattr(shown, "max_instances", 1) == 1):
        raise InputError(
            f"expected framing of {wanted} for {module.__name__}, got {shown.__name__}, which "
            f"takes no {extra[0]}; choose another framing= or module="
        )
    if extra:
        known = ("framing." + name for name in taken)
        raise unknown_key(f"framing.{extra[0]}", known, shown.__name__)


def _class(config: DictConfig, key: str) -> Any:
    """What a node of the config makes, None where it names nothing that is there."""
    name = OmegaConf.select(config, f"{key}._target_")
    try:
        return get_class(name) if name else None
    except (ImportError, ValueError, AttributeError):
        return None  # what builds it tells more


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _expect(holds: bool, key: str, what: str, found: Any) -> None:
    if not holds:
        raise InputError(f"expected {key} to be {what}, got {found}; correct the value")
