"""Experiments, methods, models, metrics and so on, one row each; without torch or Hydra."""

from __future__ import annotations

import re
import reprlib
from fnmatch import fnmatch
from functools import cache
from typing import TYPE_CHECKING, Any

from poselab.experiments.config.authors import authors_of_experiments
from poselab.experiments.config.names import (
    conf_folder,
    config_names,
    experiment_names,
    group_rows,
    read_table,
    suite_names,
    suite_rows,
)
from poselab.experiments.config.published import metric_values, parameter_counts, published_values
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Row = dict[str, Any]
"""Columns by their names; the first one holds the row's name."""


def listing(kind: str, pattern: str = "", folders: Sequence[Path] = ()) -> list[Row]:
    """The rows of one of :data:`KINDS` whose names match a pattern such as ``coco/*rle*``.

    A pattern without wildcards may be any part of a name. ``folders`` hold configs of the user's
    own.

    Raises:
        InputError: no name matches.
    """
    wanted = pattern if set("*?[") & set(pattern) else f"*{pattern}*"
    rows = [row for row in KINDS[kind](folders) if fnmatch(next(iter(row.values())), wanted)]
    if not rows:
        raise InputError(
            f"expected a part of a name or a pattern such as '*rle*', got {pattern!r}, which no "
            f"{kind} match; `poselab list {kind}` shows all"
        )
    return rows


def _experiments(folders: Sequence[Path]) -> list[Row]:
    suites = {name.rpartition("/")[0] for name in experiment_names(folders)}
    rows = {name: row for suite in suites for name, row in suite_rows(suite, folders).items()}
    return [_experiment(name, rows[name], folders) for name in sorted(rows)]


def _experiment(name: str, row: Row, folders: Sequence[Path]) -> Row:
    """An experiment's row; ``published`` are percent, ``input`` is (height, width)."""
    row = row or _file_as_row("experiment", name, folders)
    published = published_values().get(name, {})
    return {
        "experiment": name,
        "paper": published.get("paper"),
        "published": metric_values(published),
        "input": row.get("framing.size") or _framing_size(row, folders),
        "parameters": parameter_counts().get(name),
        "data": row.get("data", "generated"),
    }


def _settings(folders: Sequence[Path]) -> list[Row]:
    """The settings of authors; ours are equal where no reason for a difference is declared."""
    rows = []
    for name, authors in sorted(authors_of_experiments().items()):
        batch = {"total batch": (authors.batch, "batch=published")} if authors.batch else {}
        settings = {
            key: (value, authors.differs.get(key, "equal"))
            for key, value in authors.settings.items()
        }
        also = {"also": (None, authors.also)} if authors.also else {}
        table = {"code": (authors.source, None), **batch, **settings, **also}
        rows += [
            {"experiment": name, "setting": key, "theirs": theirs, "ours": ours}
            for key, (theirs, ours) in table.items()
        ]
    return rows


def _framing_size(row: Row, folders: Sequence[Path]) -> list[int] | None:
    """The input size of a row that leaves it to its framing, or to its recipe's."""
    framing = row.get("framing")
    while framing is None and row.get("recipe"):
        row = _file_as_row("recipe", row["recipe"], folders)
        framing = row.get("framing")
    file = conf_folder() / "framing" / f"{framing or 'person_crop'}.yaml"
    size: list[int] | None = read_table(file).get("size") if file.is_file() else None
    return size


def _file_as_row(group: str, name: str, folders: Sequence[Path]) -> Row:
    """A yaml file's choices of groups and its input size; what it builds on is its recipe."""
    file = _file(group, name, folders)
    content = read_table(file) if file else {}
    row: Row = {}
    for entry in content.get("defaults") or ():
        if isinstance(entry, str) and entry != "_self_":
            row["recipe"] = entry.removeprefix("/recipe/")
        elif isinstance(entry, dict):
            row |= {key.split("/")[-1]: option for key, option in entry.items()}
    size = (content.get("framing") or {}).get("size")
    return row | ({"framing.size": size} if size else {})


def _options(group: str) -> Callable[[Sequence[Path]], list[Row]]:
    """The options of a config group with the comments that open their files."""

    def rows(folders: Sequence[Path]) -> list[Row]:
        of_tables = group_rows(group, folders)
        return [
            {group: name, "about": _comment(_file(group, name, folders)) or _text(of_tables[name])}
            for name in config_names(group, folders)
        ]

    return rows


def _suites(folders: Sequence[Path]) -> list[Row]:
    return [
        {
            "suite": name,
            "experiments": len(suite_rows(name, folders)),
            "about": _comment(_file("suite", name, folders)),
        }
        for name in suite_names(folders)
    ]


def _cell(value: object) -> str | None:
    """A value of somebody's file as a cell of a table."""
    return value if isinstance(value, str | None) else reprlib.repr(value)


def _ablations(folders: Sequence[Path]) -> list[Row]:
    rows = []
    for name in config_names("ablation", folders):
        file = _file("ablation", name, folders)
        ablation = read_table(file) if file else {}
        rows.append(
            {
                "ablation": name,
                **{key: _cell(ablation.get(key)) for key in ("question", "paper", "experiment")},
                "rows": len(given) if isinstance(given := ablation.get("rows"), list) else 0,
            }
        )
    return rows


def _models(folders: Sequence[Path]) -> list[Row]:
    from poselab.models.pretrained import CATALOGUE

    return [
        {
            "model": model.name,
            "experiment": model.experiment,
            "overrides": " ".join(model.overrides),
        }
        for model in CATALOGUE.values()
    ]


def _datasets(folders: Sequence[Path]) -> list[Row]:
    from poselab.datasets.recognise import all_datasets

    trained = config_names("data", folders)
    return [
        {
            "dataset": name,
            "title": dataset.TITLE,
            "about": (dataset.__doc__ or "").split("\n")[0].rstrip("."),
            "training": f"data={name}" if name in trained else None,
        }
        for name, dataset in all_datasets().items()
    ]


def _metrics(folders: Sequence[Path]) -> list[Row]:
    from poselab.evaluation.metrics.named import METRICS, Settings

    evaluators = {name: make(Settings()) for name, make in METRICS.items()}
    return [
        {
            "metric": name,
            "ranks by": evaluator.primary_metric,
            "about": (type(evaluator).__doc__ or "").split("\n")[0].rstrip("."),
        }
        for name, evaluator in evaluators.items()
    ]


def _file(group: str, name: str, folders: Sequence[Path]) -> Path | None:
    files = [folder / group / f"{name}.yaml" for folder in (conf_folder(), *folders)]
    return next((file for file in reversed(files) if file.is_file()), None)


@cache
def _comment(file: Path | None) -> str | None:
    """The first sentence of the comment that opens a yaml file."""
    if file is None:
        return None
    text = re.match(r"(?:#.*\n)*", file.read_text())
    lines = [line.lstrip("# ") for line in (text[0] if text else "").splitlines()]
    words = " ".join(line for line in lines if not line.startswith("@package"))
    return re.split(r"(?<! al)[.] ", words)[0].rstrip(".") or None


def _text(row: Row) -> str:
    """What a row of a table builds on and changes, on one line."""
    bases = [base.lstrip("_") for base in row.get("defaults", ())]
    changes = [f"{k} {v}" for k, v in row.items() if k[0] != "_" and k != "defaults"]
    return ", ".join([*bases, *changes])


KINDS: dict[str, Callable[[Sequence[Path]], list[Row]]] = {
    "experiments": _experiments,
    "settings": _settings,
    "methods": _options("method"),
    "backbones": _options("backbone"),
    "suites": _suites,
    "ablations": _ablations,
    "models": _models,
    "datasets": _datasets,
    "metrics": _metrics,
}
"""What can be listed."""
