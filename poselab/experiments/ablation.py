"""Ablations: one question, answered by rows of runs with several seeds each."""

from __future__ import annotations

import re
import reprlib
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from poselab.experiments import runs
from poselab.experiments.config.compose import compose, hand_to_hydra, search_path_override
from poselab.experiments.config.names import mapping
from poselab.experiments.train import train_run
from poselab.io.files import write_bytes
from poselab.report.tables import markdown, print_table
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import DictConfig

    from poselab.report.tables import Row


def run_ablation(words: Sequence[str]) -> Path:
    """Train every row of an ablation with every seed, print the table; the table's file.

    words: ``ablation=PAPER/QUESTION`` and overrides of Hydra's grammar. Finished runs are not
    trained again, interrupted ones resume.

    Raises:
        InputError: no ablation is named, or a run's config cannot be used.
    """
    config, choices = compose("ablate", words)
    if choices.get("ablation") is None:
        raise InputError("expected ablation=PAPER/QUESTION, got none; see poselab ablate --help")
    _check(config.ablation, str(choices["ablation"]))
    rows, seeds = config.ablation.rows, config.ablation.seeds
    sweep = [f"row={','.join(map(str, range(len(rows))))}", f"seed={','.join(map(str, seeds))}"]
    print(f"{config.ablation.question} {len(rows)} rows, {len(seeds)} seeds.", flush=True)
    hand_to_hydra("ablate", [*words, *sweep, "--multirun"], _train_one)
    return _write_table(config, str(choices["ablation"]))


def _check(ablation: Any, name: str) -> None:
    """Check that an ablation has all that its runs and its table need.

    Raises:
        InputError: a key is missing, or has a value of another type.
    """
    plain = OmegaConf.to_container(ablation) if OmegaConf.is_config(ablation) else ablation
    given = mapping(plain, f"ablation {name}")
    rows: Any = given.get("rows")
    complete = (
        all(isinstance(given.get(key), str) for key in ("question", "paper", "experiment"))
        and isinstance(given.get("comparable"), str)
        and _is_list(given.get("metrics"), str)
        and _is_list(given.get("seeds"), int)
        and _is_list(given.get("overrides") or [], str, least=0)
        and _is_list(rows, dict)
        and all(isinstance(row.get("label"), str | int | float) for row in rows)
        and all(_is_list(row.get("overrides"), str, least=0) for row in rows)
        and all(isinstance(row.get("published"), dict | None) for row in rows)
    )
    if not complete:
        raise InputError(
            f"expected question, paper, experiment and comparable as text, metrics, seeds and "
            f"overrides as lists, and rows of label and overrides in ablation {name}, got "
            f"{reprlib.repr(given)[:150]}; correct its file"
        )


def _is_list(value: object, kind: type, least: int = 1) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= least
        and all(isinstance(entry, kind) and not isinstance(entry, bool) for entry in value)
    )


def _train_one(config: DictConfig) -> None:
    """Train one row with one seed, unless it is finished."""
    ablation, hydra = config.ablation, HydraConfig.get()
    row = ablation.rows[config.row]
    folder = _folder(config, hydra.runtime.choices["ablation"], row.label, config.seed)
    composed, _ = compose(
        "train",
        [
            search_path_override(hydra.searchpath),
            f"experiment={ablation.experiment}",
            *(ablation.get("overrides") or ()),
            *row.overrides,
            *config.overrides,
            f"seed={config.seed}",
        ],
    )
    print(f"{row.label}, seed {config.seed}: {folder}", flush=True)
    runs.check_one_device(composed)
    if runs.finished_metrics(composed, folder) is None:
        train_run(composed, folder, ablation.experiment)


def _folder(config: DictConfig, name: str, label: str, seed: int) -> Path:
    slug = re.sub(r"[^\w.]+", "-", label).strip("-")
    return Path(config.runs) / "ablation" / name / slug / f"seed-{seed}"


def _write_table(config: DictConfig, name: str) -> Path:
    """Print the table, and write it as Markdown beside the runs; the file."""
    ablation = config.ablation
    rows = [_table_row(config, name, row) for row in ablation.rows]
    caption = f"{ablation.paper}. Comparable: {ablation.comparable}."
    if len(ablation.seeds) == 1:
        caption += " One seed: how far trainings differ is not known; add ablation.seeds=[0,1,2]."
    print_table(rows, caption)
    file = Path(config.runs) / "ablation" / name / "table.md"
    write_bytes(file, f"{ablation.question}\n\n{markdown(rows)}\n{caption}\n".encode())
    return file


def _table_row(config: DictConfig, name: str, row: Any) -> Row:
    """Ours beside the published value, for each metric."""
    seeds = list(config.ablation.seeds)
    folders = [_folder(config, name, row.label, seed) for seed in seeds]
    records = [runs.read_metrics(folder) for folder in folders]
    cells: Row = {"row": str(row.label)}
    for metric in config.ablation.metrics:
        values = [100 * record[metric] for record in records]
        spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
        published = (row.get("published") or {}).get(metric)
        difference = None if published is None else mean(values) - published
        cells[f"{metric} ours"] = f"{mean(values):.1f}{spread}"
        cells[f"{metric} published"] = "–" if published is None else f"{published:.1f}"
        cells[f"{metric} difference"] = "–" if difference is None else f"{difference:+.1f}"
    cells["seeds"] = str(len(seeds))
    source = row.get("source") or config.ablation.get("source")
    cells["source"] = str(source) if source and row.get("published") else "–"
    return cells
