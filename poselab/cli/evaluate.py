"""``poselab evaluate``: metric values of a predictions file, from it and annotations alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from poselab.cli import scoring
from poselab.cli.arguments import Arguments, output_file, path, whole
from poselab.cli.garbage_collection import garbage_collection_paused
from poselab.evaluation.statistics import MOST_REPLICATES

if TYPE_CHECKING:
    import argparse

    from poselab.evaluation.record import Metrics

LIGHT = True


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Score a predictions file against annotations; the table is in percent.",
    )
    arguments.add_argument(
        "predictions",
        type=path,
        metavar="PREDICTIONS",
        help="a run folder; COCO or COCO-WholeBody results (JSON; pckh and pck need annotation_id "
        "or --match), also as ultralytics, RF-DETR and Detectron2 write them (.json, .pth); a dump "
        "of mmpose (.pkl); or any array of poses, one for each labelled person, such as the MPII, "
        "LSP, FLIC and PARSE results of other codes (.mat, .h5, .npy, .npz, .csv, .json)",
    )
    scoring.add_scoring_options(arguments)
    arguments.add_argument(
        "--replicates",
        type=whole(0, MOST_REPLICATES),
        default=0,
        metavar="N",
        help="also give 95 %% confidence intervals, from N bootstrap replicates over images (1000)",
    )
    arguments.add_argument(
        "--json", type=output_file, metavar="OUT", help="also write values as fractions"
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Score, warn on stderr, print the table, write the JSON."""
    with garbage_collection_paused():
        from poselab.evaluation.api import evaluate

        evaluator = scoring.evaluator_of(arguments)
        metrics = evaluate(
            arguments.predictions,
            scoring.annotations_of(arguments),
            evaluator,
            arguments.replicates,
            array=scoring.array_options_of(arguments),
        )
    for note in metrics.notes:
        print(f"note: {note}", file=sys.stderr)
    for warning in metrics.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if sys.stdout.isatty():
        _draw(metrics)
    else:
        print(metrics)
    if arguments.json:
        metrics.write(arguments.json)
    return 0


def _draw(metrics: Metrics) -> None:
    """Print the values in percent as a table with borders."""
    from rich.console import Console
    from rich.table import Table

    rows = metrics.rows()
    table = Table("metric")
    for name in ("%", "from", "to")[: len(rows[0]) - 1]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    print(metrics.scored())
