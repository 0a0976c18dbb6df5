"""Rows of tables as Hydra configs, so that ``experiment=SUITE/ROW`` names each row of a suite."""

from __future__ import annotations

import reprlib
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from poselab.experiments.config.names import (
    conf_folder,
    config_names,
    group_rows,
    mapping,
    suite_rows,
)
from poselab.experiments.config.published import published_values
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.experiments.config.names import Overrides


@cache
def store_rows(folders: tuple[Path, ...] = ()) -> None:
    """Put the rows of all suites and of all ``_rows.yaml`` into Hydra's store.

    ``folders`` hold configs of the user's own. A yaml file of the same name goes first.
    """
    places = (conf_folder(), *folders)
    for suite in config_names("suite", folders):
        for name, row in suite_rows(suite, folders).items():
            row = {"published": published_values().get(name, {}), **row}
            _store(f"experiment/{name}", _config(row, places), places, "_global_")
    for group in {file.parent.name for place in places for file in place.glob("*/_rows.yaml")}:
        for name, row in group_rows(group, folders).items():
            _store(f"{group}/{name}", row, places)


def _store(
    name: str, config: dict[str, Any], places: Sequence[Path], package: str | None = None
) -> None:
    if not any((place / f"{name}.yaml").is_file() for place in places):
        group, _, option = name.rpartition("/")
        ConfigStore.instance().store(option, config, group=group, package=package)


def _config(row: Overrides, places: Sequence[Path]) -> dict[str, Any]:
    """A row in the form of a yaml file: options of groups are its defaults, the rest its values.

    Raises:
        InputError: a group's option is no name, or a key lies below one that has a value.
    """
    defaults, values = [], dict[str, Any]()
    for key, value in row.items():
        group = key.partition("@")[0]
        if any((place / group).is_dir() for place in places):
            if not isinstance(value, str | None):
                raise InputError(
                    f"expected the name of an option of {group[:40]!r} in a row of a suite, got "
                    f"{reprlib.repr(value)}; write `{group[:40]}: NAME`"
                )
            defaults.append({f"override /{key}": value})
        else:
            *parents, last = key.split(".")
            section = values
            for parent in parents:
                section = mapping(section.setdefault(parent, {}), f"{parent[:40]!r} of a suite")
            section[last] = deepcopy(value)  # later keys may add to it
    return {"defaults": defaults, **values}


def heatmap_sigma(input_size: Sequence[int]) -> float:
    """The width of a Gaussian target in heatmap cells, one for each 128 rows of the input.

    That is 2 at 256x192 and 3 at 384x288, as in HRNet's configs, and never below 1.
    """
    return float(max(1, round(input_size[0] / 128)))
