"""What a person may have meant by a word that no config has."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_ALIKE, _SPREAD, _MOST = 0.75, 0.05, 3
UNKNOWN_KEY = re.compile(r"Could not override '([^']+)'")
UNKNOWN_OPTION = re.compile(r"Could not find '([^'/]+)/([^']+)'")
"""How Hydra says it: a key, and a group with its option."""


def resembling(word: str, known: Iterable[str]) -> list[str]:
    """The few of ``known`` that look like a word, or whose last part does, the likest first."""
    likeness = {other: _likeness(word, other) for other in known}
    least = max(_ALIKE, max(likeness.values(), default=0.0) - _SPREAD)
    alike = [other for other, value in likeness.items() if value >= least]
    return sorted(alike, key=lambda other: -likeness[other])[:_MOST]


def _likeness(one: str, other: str) -> float:
    """Of whole words where they lie equally deep, or, worth a little less, of their last parts."""
    level = one.count(".") == other.count(".")
    last = _ratio(one.rpartition(".")[2], other.rpartition(".")[2])
    return max(_ratio(one, other) if level else 0.0, 0.95 * last)


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def keys_of(config: DictConfig) -> list[str]:
    """All keys of a config, dotted, without those for the machinery such as ``_target_``."""
    return list(_keys(OmegaConf.to_container(config, resolve=False), ""))


def _keys(node: Any, before: str) -> Iterator[str]:
    for key, inner in node.items() if isinstance(node, dict) else ():
        if not str(key).startswith("_"):
            yield f"{before}{key}"
            yield from _keys(inner, f"{before}{key}.")


def unknown_key(key: str, known: Iterable[str], what: str = "the config") -> InputError:
    """The sentence on a key that is not in a config with the ``known`` ones."""
    known = list(known)
    if key in known:  # a node that a dict was to replace; Hydra merges the two
        return InputError(
            f"expected keys that {key} has, got others in what was to replace it; add them as "
            f"+{key}.NEW=VALUE, or name a yaml of your own (--config-dir DIR)"
        )
    alike = resembling(key, known)
    advice = (
        f"did you mean {' or '.join(alike)}?"
        if alike
        else "none is named like it; `poselab train experiment=... --cfg job` prints all"
    )
    return InputError(f"expected a key of {what}, got {key!r}; {advice}")


def unknown_option(group: str, option: str, folders: Sequence[Path]) -> InputError:
    """The sentence on an option that a config group has in none of the folders."""
    names = {
        file.relative_to(folder / group).with_suffix("").as_posix()
        for folder in folders
        for file in (folder / group).rglob("[!_]*.yaml")
    }
    alike = resembling(option, sorted(names))
    known = ", ".join(sorted({name.split("/")[0] for name in names}))
    advice = f"did you mean {' or '.join(alike)}?" if alike else f"choose out of {known or 'none'}"
    return InputError(f"expected {group}= to name a config there is, got {option!r}; {advice}")
