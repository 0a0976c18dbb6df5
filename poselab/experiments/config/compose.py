"""Command-line words to a config, by Hydra; what does not compose is an error of one sentence."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from poselab.experiments.config.checks import check_config
from poselab.experiments.config.close_names import (
    UNKNOWN_KEY,
    UNKNOWN_OPTION,
    keys_of,
    unknown_key,
    unknown_option,
)
from poselab.experiments.config.hydra_section import fixed_section
from poselab.experiments.config.names import conf_folder, split_config_dirs
from poselab.experiments.config.overrides import one_value, quoted, several_values, with_quotes
from poselab.experiments.config.stored_rows import heatmap_sigma, store_rows
from poselab.experiments.config.total_batch import scale_total_batch
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from omegaconf import DictConfig

OmegaConf.register_new_resolver("heatmap_sigma", heatmap_sigma, replace=True)

_HYDRA_FLAGS = ("-m", "--multirun", "-c", "--cfg", "--info", "--hydra-help", "--package", "-p")


def compose(name: str, words: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    """The config that ``name`` and overrides make, and which option of each group was chosen.

    Raises:
        InputError: a word that is no override, an unknown key or group, or a broken value.
    """
    store_rows(tuple(split_config_dirs(words)[0]))
    overrides = _with_search_path(words)
    for word in overrides:
        if word[:1] == "-" or ("=" not in word and word[:1] != "~"):
            raise InputError(f"expected overrides like key=value, got {word!r}; see --help")
    try:
        config = _composed(name, overrides)
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError) as error:
        raise _composition_error(error, name, words) from None
    choices = dict(config.hydra.runtime.choices)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    if name == "train":
        complete_training_config(config)
    return config, choices


def complete_training_config(config: DictConfig) -> None:
    """Check a composed training config, and scale its batch where it says so.

    Raises:
        InputError: one of its values is of the wrong type or out of range.
    """
    check_config(config)
    scale_total_batch(config)


def _composed(name: str, overrides: list[str]) -> DictConfig:
    """The config, including Hydra's own section."""
    if GlobalHydra.instance().is_initialized():
        return hydra.compose(name, overrides, return_hydra_config=True)
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return hydra.compose(name, overrides, return_hydra_config=True)


def _composition_error(error: Exception, name: str, words: Sequence[str]) -> InputError:
    if option := UNKNOWN_OPTION.search(str(error)):
        return unknown_option(option[1], option[2], split_config_dirs(words)[0])
    if key := UNKNOWN_KEY.search(str(error)):
        return unknown_key(key[1], _known(name, words, key[1]))
    if several := several_values(error):
        return one_value(several)
    reason = "; ".join(line.strip() for line in str(error).splitlines()[:2] if line.strip())[:200]
    return InputError(
        f"expected overrides that compose, but {reason} (all configs are in {conf_folder()})"
    )


def _known(name: str, words: Sequence[str], unknown: str) -> list[str]:
    """The keys and groups of the config that the chosen groups make; none if these fail, too."""
    keys = {word: word.partition("=")[0].lstrip("+") for word in _with_search_path(words)}
    groups = [w for w in keys if "=" in w and not set(".,") & set(w)]
    groups = [word for word in groups if keys[word] != unknown]
    own = [word for word, key in keys.items() if key == "hydra.searchpath"]
    try:
        config = _composed(name, [*own, *groups])
    except (HydraException, OmegaConfBaseException):
        return []
    known = (*keys_of(config), *config.hydra.runtime.choices)
    return [key for key in known if not key.startswith("hydra")]


def _with_search_path(words: Sequence[str]) -> list[str]:
    """``--config-dir DIR`` as the override that adds folders of the user's own configs.

    Flags come last: argparse, which Hydra uses, wants the overrides side by side.
    """
    folders, rest = split_config_dirs(words)
    own = [search_path_override([f"file://{folder}" for folder in folders])] if folders else []
    overrides = [w for w in rest if w[:1] == "~" or ("=" in w and w[:1] != "-")]
    flags = [word for word in rest if word not in overrides]
    return [*own, *map(with_quotes, overrides), *flags]


def search_path_override(places: Sequence[str]) -> str:
    """The override that adds config folders, whatever characters their names have."""
    return f"hydra.searchpath=[{','.join(map(quoted, places))}]"


def wants_hydra(words: Sequence[str]) -> bool:
    """Whether the words hold a flag of Hydra's own (``--multirun``, ``--cfg``, ...)."""
    return any(word in _HYDRA_FLAGS for word in words)


def hand_to_hydra(name: str, words: Sequence[str], task: Callable[[DictConfig], object]) -> None:
    """Run a task by Hydra's own command line, sweeps and launchers included."""
    store_rows(tuple(split_config_dirs(words)[0]))
    arguments, environment = sys.argv, dict(os.environ)
    overrides = _with_search_path(words)
    sys.argv = [f"poselab {name}", *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints errors itself and exits
    run = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=name)(task)
    try:
        own = [word for word in overrides if word.lstrip("+~").startswith("hydra")]
        with fixed_section(_composed(name, own).hydra):
            run()
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise _composition_error(error, name, words) from None
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(environment)
