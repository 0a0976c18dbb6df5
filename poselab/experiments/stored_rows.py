"""Rows of suites as Hydra configs, so that ``experiment=SUITE/ROW`` names each."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from poselab.experiments.configs import conf_folder, config_names, suite_rows
from poselab.experiments.published import published_values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.experiments.configs import Overrides


@cache
def store_experiments(folders: tuple[Path, ...] = ()) -> None:
    """Put every row of every suite into Hydra's store; a yaml file of the same name goes first."""
    places, store = (conf_folder(), *folders), ConfigStore.instance()
    for suite in config_names("suite", folders):
        for name, row in suite_rows(suite, folders).items():
            if not any((place / "experiment" / f"{name}.yaml").is_file() for place in places):
                config = _config(row, places) | {"published": published_values().get(name, {})}
                group = f"experiment/{suite}"
                store.store(name.rpartition("/")[2], config, group=group, package="_global_")


def _config(row: Overrides, places: Sequence[Path]) -> dict[str, Any]:
    """A row in the form of a yaml file: options of groups are its defaults, the rest its values."""
    defaults, values = [], dict[str, Any]()
    for key, value in row.items():
        group = key.partition("@")[0]
        if any((place / group).is_dir() for place in places):
            defaults.append({f"override /{key}": value})
        else:
            *parents, last = key.split(".")
            section = values
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
    return {"defaults": defaults, **values}


def heatmap_sigma(input_size: Sequence[int]) -> float:
    """The width of a Gaussian target in heatmap cells, one for each 128 rows of the input.

    That is 2 at 256x192 and 3 at 384x288, as in HRNet's configs, and never below 1.
    """
    return float(max(1, round(input_size[0] / 128)))
