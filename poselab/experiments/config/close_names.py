"""Suggestions for config keys and options that do not exist."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from poselab.experiments.config.names import config_names, experiment_names
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_CUTOFF = 0.75
"""Least similarity (0 to 1) of a suggestion."""
UNKNOWN_KEY = re.compile(r"Could not override '([^']+)'")
UNKNOWN_OPTION = re.compile(r"Could not find '([^'/]+)/([^']+)'")
"""Hydra's messages on an unknown key, and on an unknown option of a group."""


def close_names(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of ``known`` that are spelled almost like a word, the closest first.

    Where none is, those whose last part, after the last dot, is spelled like the word's.
    """
    names = list(dict.fromkeys(known))
    if close := get_close_matches(word, names, cutoff=_CUTOFF):
        return close
    last = {name: name.rpartition(".")[2] for name in names}
    ends = get_close_matches(word.rpartition(".")[2], set(last.values()), n=1, cutoff=_CUTOFF)
    return [name for name in names if last[name] in ends][:3]


def keys_of(config: DictConfig) -> list[str]:
    """All keys of a config, dotted, without those of Hydra such as ``_target_``."""
    return list(_keys(OmegaConf.to_container(config, resolve=False), ""))


def _keys(section: Any, before: str) -> Iterator[str]:
    for key, inner in section.items() if isinstance(section, dict) else ():
        if not str(key).startswith("_"):
            yield f"{before}{key}"
            yield from _keys(inner, f"{before}{key}.")


def unknown_key(key: str, known: Iterable[str], what: str = "the config") -> InputError:
    """The error for a key that is not in a config with the ``known`` keys."""
    known = list(known)
    if key in known:  # the override replaces a section by a dict; Hydra merges the two
        return InputError(
            f"expected keys that {key} already has, got a new one; add it as +{key}.NEW=VALUE, or "
            "write a yaml file of your own (--config-dir DIR)"
        )
    close = close_names(key, known)
    advice = (
        f"did you mean {' or '.join(close)}?"
        if close
        else "no key has a similar name; `poselab train experiment=... --cfg job` prints all"
    )
    return InputError(f"expected a key of {what}, got {key!r}; {advice}")


def unknown_option(group: str, option: str, folders: Sequence[Path] = ()) -> InputError:
    """The error for an option that a config group lacks, also in the user's own ``folders``."""
    names = experiment_names(folders) if group == "experiment" else config_names(group, folders)
    close = close_names(option, names)
    known = ", ".join(sorted({name.split("/")[0] for name in names}))
    advice = f"did you mean {' or '.join(close)}?" if close else f"choose out of {known or 'none'}"
    return InputError(f"expected {group}= to name an existing config, got {option!r}; {advice}")
