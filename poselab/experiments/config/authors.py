"""How the authors of a published value trained and tested, beside what a recipe of ours does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.experiments.config.names import conf_folder, read_table, rows_of_table

if TYPE_CHECKING:
    from omegaconf import DictConfig

_THEIRS, _DIFFERS = "theirs.", "differs."
_MOST_NAMED = 4
_UNSAID = {
    "augment.distribution": "clipped_normal",
    "augment.half_body": 0.0,
    "augment.half_body_joints": 8,
    "augment.half_body_upper": 0.69,
    "augment.shift": 0.0,
    "method.renormalise.order": "rgb",
    "method.renormalise.mean": [0.485, 0.456, 0.406],
    "method.renormalise.std": [0.229, 0.224, 0.225],
}
"""What a config stands for that says nothing of it."""


@dataclass(frozen=True)
class Authors:
    """The settings behind a published value, by the keys of our configs; see conf/authors.yaml.

    source: repository, commit and file. batch: the total over all devices. differs: why our recipe
    has another value, by key. also: what else differs, which no key says.
    """

    source: str
    batch: int | None
    settings: dict[str, Any]
    differs: dict[str, str]
    also: str | None


class Setting(NamedTuple):
    """A key with the value of the authors and that of a config."""

    key: str
    theirs: Any
    ours: Any


@cache
def authors_of_experiments() -> dict[str, Authors]:
    """The authors' settings of each experiment, where their code is known."""
    rows = rows_of_table(read_table(conf_folder() / "published.yaml"), "published.yaml")
    return {name: _authors(name, row) for name, row in rows if "code" in row}


def without_settings(row: dict[str, Any]) -> dict[str, Any]:
    """A row of published.yaml without what it says of the authors' settings."""
    ours = ("code", "file", "settings", "also")
    return {k: v for k, v in row.items() if k not in ours and not k.startswith((_THEIRS, _DIFFERS))}


def other_settings(authors: Authors, config: DictConfig) -> list[Setting]:
    """The settings in which a composed config differs from the authors' code."""
    settings = [Setting(key, v, _our_value(config, key)) for key, v in authors.settings.items()]
    return [setting for setting in settings if setting.theirs != setting.ours]


def other_settings_warning(experiment: str, config: DictConfig) -> str | None:
    """One sentence where a run changes what its recipe has as its authors had it."""
    authors = authors_of_experiments().get(experiment)
    others = other_settings(authors, config) if authors else []
    changed = [s for s in others if authors and s.key not in authors.differs]
    if not changed:
        return None
    named = "; ".join(f"{s.key} is {s.ours}, theirs {s.theirs}" for s in changed[:_MOST_NAMED])
    more = f"; and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    return (
        f"this run is not the recipe behind the published value: {named}{more} "
        f"(`poselab list settings {experiment}` shows all)"
    )


def _authors(name: str, row: dict[str, Any]) -> Authors:
    table = read_table(conf_folder() / "authors.yaml")
    merged = dict(table["every"])
    for group in row["settings"]:
        merged |= _group(table["settings"], group)
    merged |= _below(_THEIRS, row) | {k: v for k, v in row.items() if k.startswith(_DIFFERS)}
    size = re.search(r"\d+x\d+$", name)
    settings = {
        key: _for_size(value, size[0] if size else "")
        for key, value in merged.items()
        if not key.startswith(_DIFFERS)
    }
    return Authors(
        source=f"{table['code'][row['code']]}, {row['file']}",
        batch=settings.pop("batch", None),
        settings=settings,
        differs={key: reason for key, reason in _below(_DIFFERS, merged).items() if reason},
        also=row.get("also"),
    )


def _group(groups: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """The settings of a group on top of those that it is like."""
    own = dict(groups[name])
    merged: dict[str, Any] = {}
    for base in own.pop("like", ()):
        merged |= _group(groups, base)
    return merged | own


def _below(prefix: str, row: dict[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(prefix): v for key, v in row.items() if key.startswith(prefix)}


def _for_size(value: Any, size: str) -> Any:
    """A value, or that of an input size HxW where it depends on it."""
    return value[size] if isinstance(value, dict) else value


def _our_value(config: DictConfig, key: str) -> Any:
    """A config's value in the authors' units; None where it has no such key."""
    from omegaconf import OmegaConf

    value = OmegaConf.select(config, key, default=_UNSAID.get(key))
    if key == "schedule.milestones" and value is not None:
        return [round(fraction * config.trainer.max_epochs) for fraction in value]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
