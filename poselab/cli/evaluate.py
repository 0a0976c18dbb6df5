"""``poselab evaluate``: figures of a predictions file, from it and an annotation file alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from poselab.annotations import Annotations
    from poselab.evaluation.metrics import Metrics
    from poselab.evaluation.predictions import Predictions

    Evaluator = Callable[[Predictions, Annotations], Metrics]


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description="Score a predictions file against annotations; the table is in percent.",
    )
    words.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="COCO results JSON (annotation_id needed for pckh and pck), or MPII results of the "
        "HRNet, hourglass and Tompson codes (.mat, .h5)",
    )
    words.add_argument("--annotations", type=Path, required=True, metavar="GT")
    words.add_argument("--metric", choices=list(_EVALUATORS), default="oks")
    words.add_argument("--engine", choices=["hotcoco", "pycocotools"], default="hotcoco")
    words.add_argument("--layout", default="auto", help="of GT: coco, mpii, ... (default: auto)")
    words.add_argument("--json", type=Path, metavar="OUT", help="also write figures as fractions")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Score, warn on stderr, print the table, write the JSON."""
    from poselab.annotations import open_annotations
    from poselab.annotations.source import collector_paused
    from poselab.evaluation.checks import check

    annotations = open_annotations(arguments.annotations, layout=arguments.layout)
    if arguments.predictions.suffix == ".json":
        from poselab.evaluation.predictions import read_predictions

        predictions = read_predictions(arguments.predictions)
    else:
        from poselab.evaluation.foreign import read_results

        predictions = read_results(arguments.predictions, annotations)
    warnings = check(predictions, annotations)
    with collector_paused():
        metrics = _EVALUATORS[arguments.metric](arguments.engine)(predictions, annotations)
    missing = metrics.contract.get("unanswered_people")
    if missing:
        warnings.append(f"{missing} labelled people have no prediction and count as wrong")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _show(metrics)
    if arguments.json:
        metrics.write(arguments.json)
    return 0


def _oks(engine: str) -> Evaluator:
    from poselab.evaluation.oks import OksEvaluator

    return OksEvaluator(engine=engine)


def _pckh(engine: str) -> Evaluator:
    from poselab.evaluation.pckh import PckhEvaluator

    return PckhEvaluator()


def _pck(engine: str) -> Evaluator:
    from poselab.evaluation.pck import PckEvaluator

    return PckEvaluator()


_EVALUATORS = {"oks": _oks, "pckh": _pckh, "pck": _pck}


def _show(metrics: Metrics) -> None:
    """Print the figures in percent, and under them what they depend on."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("figure")
    table.add_column("%", justify="right")
    for key, value in metrics.to_json().items():
        if key != "contract":
            table.add_row(key, "–" if value is None else f"{100 * value:.3f}")
    Console(width=60).print(table)
    contract = metrics.contract
    print(
        f"{contract['people']} people in {contract['pictures']} pictures of "
        f"{contract['annotations']}"
    )
