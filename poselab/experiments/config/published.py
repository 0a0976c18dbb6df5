"""What papers report for an experiment: the rows of conf/published.yaml."""

from __future__ import annotations

from functools import cache
from typing import Any

from poselab.experiments.config.authors import authors_of_experiments, without_settings
from poselab.experiments.config.names import conf_folder, read_table, rows_of_table

METRICS = ("AP", "AR", "PCK")
"""How the names of published metrics begin; their values are in percent."""


@cache
def published_values() -> dict[str, dict[str, Any]]:
    """Paper, metric values, their source and the total batch by experiment.

    ``verified`` is False for rows without values, because none could be read in the source itself.
    """
    table = read_table(conf_folder() / "published.yaml")
    rows = {name: {"verified": True, **row} for name, row in rows_of_table(table, "published.yaml")}
    rows |= {name: {"verified": False, **row} for name, row in table["without_values"].items()}
    for name, authors in authors_of_experiments().items():
        rows[name]["batch"] = authors.batch
    return {name: _spelled_out(without_settings(row), table) for name, row in rows.items()}


def _spelled_out(row: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A row with the paper and the boxes that it names by their keys."""
    named = {"paper": table["papers"], "boxes": table["boxes"]}
    return {key: named[key][value] if key in named else value for key, value in row.items()}


def metric_values(row: dict[str, Any]) -> dict[str, float]:
    """The published metric values of a row, in percent."""
    return {key: value for key, value in row.items() if key.startswith(METRICS)}


@cache
def parameter_counts() -> dict[str, int]:
    """The parameters of each experiment's network and loss: the rows of conf/parameters.yaml."""
    counts: dict[str, int] = read_table(conf_folder() / "parameters.yaml")
    return counts
