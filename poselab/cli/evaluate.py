"""``poselab evaluate``: figures of a predictions file, from it and an annotation file alone."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.cli import scoring

if TYPE_CHECKING:
    from poselab.evaluation.metrics import Metrics


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description="Score a predictions file against annotations; the table is in percent.",
    )
    words.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="COCO results JSON (pckh and pck need annotation_id or --match), or MPII results of "
        "the HRNet, hourglass and Tompson codes (.mat, .h5)",
    )
    scoring.add_words(words)
    words.add_argument("--json", type=Path, metavar="OUT", help="also write figures as fractions")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Score, warn on stderr, print the table, write the JSON."""
    from poselab.annotations.source import collector_paused

    with collector_paused():
        warnings, metrics = _score(arguments)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _show(metrics)
    if arguments.json:
        metrics.write(arguments.json)
    return 0


def _score(arguments: argparse.Namespace) -> tuple[list[str], Metrics]:
    from poselab.evaluation.checks import check

    annotations = scoring.annotations_of(arguments)
    predictions = scoring.read_poses(arguments.predictions, annotations)
    warnings = check(predictions, annotations)
    metrics = scoring.evaluator_of(arguments)(predictions, annotations)
    missing = metrics.contract.get("unanswered_people")
    if missing:
        warnings.append(f"{missing} labelled people have no prediction and count as wrong")
    return warnings, metrics


def _show(metrics: Metrics) -> None:
    """Print the figures in percent: a drawn table on a terminal, bare columns into a pipe."""
    figures = {
        key: "–" if math.isnan(value) else f"{100 * value:.3f}"
        for key, value in metrics.values.items()
    }
    if sys.stdout.isatty():
        _draw(figures)
    else:
        print("\n".join(f"{key:<20}{value:>8}" for key, value in figures.items()))
    contract = metrics.contract
    print(
        f"{contract['people']} people in {contract['pictures']} pictures of "
        f"{contract['annotations']}"
    )


def _draw(figures: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("figure")
    table.add_column("%", justify="right")
    for figure in figures.items():
        table.add_row(*figure)
    Console().print(table)
