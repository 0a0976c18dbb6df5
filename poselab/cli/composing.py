"""Command-line words to a config, by Hydra; what does not compose is said in one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from poselab.cli.shipped import conf_folder
from poselab.cli.values import expect_values
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omegaconf import DictConfig

_HYDRA_FLAGS = ("-m", "--multirun", "-c", "--cfg", "--info", "--hydra-help", "--package", "-p")


def compose(name: str, words: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    """The config that ``name`` and overrides make, and which option of each group was chosen.

    Raises:
        InputError: an unknown key or group, or a broken value.
    """
    overrides = _with_search_path(words)
    try:
        if GlobalHydra.instance().is_initialized():
            config = hydra.compose(name, overrides, return_hydra_config=True)
        else:
            with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
                config = hydra.compose(name, overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise _not_composing(error) from None
    choices = dict(config.hydra.runtime.choices)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    if name == "train":
        expect_values(config)
    return config, choices


def _not_composing(error: Exception) -> InputError:
    reason = "; ".join(line.strip() for line in str(error).splitlines()[:2] if line.strip())
    return InputError(
        f"expected overrides that compose, but {reason} (see {conf_folder()} for what there is)"
    )


def _with_search_path(words: Sequence[str]) -> list[str]:
    """``--config-dir DIR`` as the override that adds a folder of the user's own configs."""
    overrides = [part for word in words for part in _apart(word)]
    while "--config-dir" in overrides:
        where = overrides.index("--config-dir")
        if where + 1 == len(overrides):
            raise InputError("expected a folder after --config-dir, got none")
        folder = Path(overrides[where + 1]).resolve()
        if not folder.is_dir():
            raise InputError(f"expected a folder of configs at {folder}, found none")
        overrides[where : where + 2] = [searching([f"file://{folder}"])]
    return overrides


def searching(places: Sequence[str]) -> str:
    """The override that adds config folders, whatever characters their names have."""
    quoted = ["'" + place.replace("\\", "\\\\").replace("'", "\\'") + "'" for place in places]
    return f"hydra.searchpath=[{','.join(quoted)}]"


def _apart(word: str) -> list[str]:
    """``--config-dir=DIR`` as the two words it stands for, any other word as it is."""
    flag, equals, folder = word.partition("=")
    return [flag, folder] if flag == "--config-dir" and equals else [word]


def wants_hydra(words: Sequence[str]) -> bool:
    """Whether the words hold a flag of Hydra's own (``--multirun``, ``--cfg``, ...)."""
    return any(word in _HYDRA_FLAGS for word in words)


def hand_to_hydra(name: str, words: Sequence[str], task: Callable[[DictConfig], object]) -> None:
    """Run a task by Hydra's own command line, sweeps and launchers included."""
    arguments, environment = sys.argv, dict(os.environ)
    sys.argv = [f"poselab {name}", *_with_search_path(words)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints errors itself and exits
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise _not_composing(error) from None
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(environment)
