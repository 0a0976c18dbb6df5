"""poselab ablate: one question, answered by rows of runs with several seeds each."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.experiments.configs import shipped

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from poselab.report.tables import Row

_HELP = """usage: poselab ablate ablation=PAPER/QUESTION [key=value ...]

Train every row of an ablation with every seed (a Hydra sweep in one process), then print the
table: ours as mean ± standard deviation over seeds, the published figure, the difference. What is
finished already is not trained again; what was interrupted goes on.

  poselab ablate ablation=heatmap/sigma
  poselab ablate ablation=heatmap/sigma ablation.seeds=[0] 'overrides=["trainer.max_epochs=2"]'
  poselab ablate ablation=heatmap/sigma hydra/launcher=joblib   (with a launcher plugin)

Ablations: {ablations}
"""


def main(words: list[str]) -> int:
    """Run the command."""
    from poselab.structures import InputError

    if not words or {"-h", "--help"} & set(words):
        print(
            _HELP.format(ablations=" ".join(shipped("ablation"))),
            file=sys.stdout if words else sys.stderr,
        )
        return 0 if words else 2
    from poselab.experiments.compose import compose, hand_to_hydra

    config, choices = compose("ablate", words)
    if choices.get("ablation") is None:
        raise InputError("expected ablation=PAPER/QUESTION, got none; see poselab ablate --help")
    rows, seeds = config.ablation.rows, config.ablation.seeds
    sweep = [f"row={','.join(map(str, range(len(rows))))}", f"seed={','.join(map(str, seeds))}"]
    print(f"{config.ablation.question} {len(rows)} rows, {len(seeds)} seeds.", flush=True)
    hand_to_hydra("ablate", [*words, *sweep, "--multirun"], _one_run)
    _report(config, str(choices["ablation"]))
    return 0


def _one_run(config: DictConfig) -> None:
    """Train one row with one seed, if nobody has yet."""
    from hydra.core.hydra_config import HydraConfig

    from poselab.experiments import runs
    from poselab.experiments import train as training
    from poselab.experiments.compose import compose, searching

    ablation, hydra = config.ablation, HydraConfig.get()
    row = ablation.rows[config.row]
    name = hydra.runtime.choices["ablation"]
    folder = _folder(config, name, row.label, config.seed)
    shared = [*(ablation.get("overrides") or ()), *row.overrides, *config.overrides]
    words = [
        searching(hydra.searchpath),
        f"experiment={ablation.experiment}",
        *shared,
        f"seed={config.seed}",
    ]
    composed, _ = compose("train", words)
    print(f"{row.label}, seed {config.seed}: {folder}", flush=True)
    runs.check_one_device(composed)
    if runs.finished_metrics(composed, folder) is None:
        training.train(composed, folder, ablation.experiment)


def _folder(config: DictConfig, name: str, label: str, seed: int) -> Path:
    slug = re.sub(r"[^\w.]+", "-", label).strip("-")
    return Path(config.runs) / "ablation" / name / slug / f"seed-{seed}"


def _report(config: DictConfig, name: str) -> None:
    """Print the table, and keep it as Markdown beside the runs."""
    from poselab.io.files import write_bytes
    from poselab.report.tables import markdown, print_table

    ablation = config.ablation
    rows = [_row(config, name, row) for row in ablation.rows]
    caption = f"{ablation.paper}. Comparable: {ablation.comparable}."
    print_table(rows, caption)
    table = Path(config.runs) / "ablation" / name / "table.md"
    text = f"{ablation.question}\n\n{markdown(rows)}\n{caption}\n"
    write_bytes(table, text.encode())
    print(f"table: {table}")


def _row(config: DictConfig, name: str, row: Any) -> Row:
    """Ours beside the published figure, for each metric."""
    from statistics import mean, stdev

    from poselab.io.files import read_json

    seeds = list(config.ablation.seeds)
    folders = [_folder(config, name, row.label, seed) for seed in seeds]
    records = [read_json(folder / "metrics.json", "metrics") for folder in folders]
    cells: Row = {"row": str(row.label)}
    for metric in config.ablation.metrics:
        values = [100 * record[metric] for record in records]
        spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
        published = (row.published or {}).get(metric)
        cells[f"{metric} ours"] = f"{mean(values):.1f}{spread}"
        cells[f"{metric} published"] = "–" if published is None else f"{published:.1f}"
        cells[f"{metric} difference"] = (
            "–" if published is None else f"{mean(values) - published:+.1f}"
        )
    cells["seeds"] = str(len(seeds))
    cells["source"] = str(row.get("source") or "–")
    return cells
