"""``poselab evaluate``: figures of a predictions file, from it and an annotation file alone."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.cli import scoring
from poselab.cli.garbage_collection import garbage_collection_paused
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.evaluation.record import Metrics

LIGHT = True
MANY = 10_000
"""Predictions whose checks take longer than to start a second process."""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description="Score a predictions file against annotations; the table is in percent.",
    )
    words.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="a run folder; COCO or COCO-WholeBody results (JSON; pckh and pck need annotation_id "
        "or --match); MPII results of the HRNet, hourglass and Tompson codes (.mat, .h5); LSP, "
        "FLIC and PARSE results (.mat)",
    )
    scoring.add_words(words)
    words.add_argument(
        "--replicates",
        type=int,
        default=0,
        metavar="N",
        help="also give 95 %% confidence limits, from N bootstrap draws over images (1000)",
    )
    words.add_argument("--json", type=Path, metavar="OUT", help="also write figures as fractions")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Score, warn on stderr, print the table, write the JSON."""
    with garbage_collection_paused():
        warnings, metrics = _score(arguments)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _show(metrics)
    if arguments.json:
        metrics.write(arguments.json)
    return 0


def _score(arguments: argparse.Namespace) -> tuple[list[str], Metrics]:
    from poselab.evaluation.comparability import read_comparability
    from poselab.evaluation.statistics.bootstrap import with_intervals
    from poselab.evaluation.validation.checks import doubts, refuse
    from poselab.io.background import in_background

    if arguments.replicates < 0:
        raise InputError(
            f"expected 0 or more replicates, got {arguments.replicates}; 1000 is usual"
        )
    annotations = scoring.annotations_of(arguments)
    predictions = scoring.read_poses(arguments.predictions, annotations)
    refuse(predictions, annotations)
    evaluator = scoring.evaluator_of(arguments)
    doubting = partial(doubts, predictions, annotations, scoring.kind_of(arguments))
    with in_background(doubting, worth_it=len(predictions) >= MANY) as doubted:
        metrics = evaluator(predictions, annotations)
        warnings = doubted()
    if arguments.replicates:
        tally = evaluator.accumulate(predictions, annotations)
        metrics = with_intervals(metrics, tally, arguments.replicates)
    missing = metrics.comparability.get("instances_without_prediction")
    if missing:
        warnings.append(f"{missing} labelled people have no prediction and count as wrong")
    left = read_comparability(scoring.predictions_file(arguments.predictions))
    return warnings, replace(metrics, comparability=metrics.comparability | left)


def _show(metrics: Metrics) -> None:
    """Print the figures in percent: a drawn table on a terminal, bare columns into a pipe."""
    figures = {key: _cells(key, metrics) for key in metrics.values}
    if sys.stdout.isatty():
        _draw(figures)
    else:
        rows = ((f"{key:<20}", *(f"{c:>8}" for c in cells)) for key, cells in figures.items())
        print("\n".join("".join(row) for row in rows))
    comparability = metrics.comparability
    print(
        f"{comparability['instances']} instances in {comparability['images']} images of "
        f"{comparability['annotations']}"
    )


def _cells(key: str, metrics: Metrics) -> list[str]:
    """A figure in percent, and its limits where they were asked for."""
    values = [metrics.values[key], *metrics.interval.get(key, ())]
    return ["–" if math.isnan(value) else f"{100 * value:.3f}" for value in values]


def _draw(figures: dict[str, list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure")
    for name in ("%", "from", "to")[: len(next(iter(figures.values())))]:
        table.add_column(name, justify="right")
    for key, cells in figures.items():
        table.add_row(key, *cells)
    Console().print(table)
