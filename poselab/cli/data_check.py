"""``poselab data check``: what is missing or broken in a dataset, and how to get it."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from poselab.cli.annotation_words import add_category, add_outside_images
from poselab.cli.arguments import Arguments, path
from poselab.cli.progress_bar import track
from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from poselab.annotations.check import Problem
    from poselab.datasets.check import SplitReport

_MOST = 5


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Report what is missing or broken in a dataset, and how to get it. Exit "
        "status: 0 nothing breaks training (there may be warnings), 1 something does.",
    )
    arguments.add_argument(
        "root",
        type=path,
        help="folder in the layout of COCO, MPII, LSP, FLIC or PARSE, an export of Roboflow or "
        "CVAT, or an annotation file",
    )
    arguments.add_argument(
        "--layout", help="of the folder or file: coco, mpii, ... (default: recognise it)"
    )
    arguments.add_argument(
        "--images", type=path, help="folder of the images, if they lie elsewhere"
    )
    add_category(arguments)
    add_outside_images(arguments)
    arguments.add_argument("--quick", action="store_true", help="do not decode the images")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the splits and their problems; 1 when one of them breaks training."""
    from rich.console import Console

    from poselab.datasets.check import Checks, check_file, check_folder, how_to_get

    root = arguments.root
    if not root.exists():
        raise InputError(f"expected a dataset at {root}, found nothing; {how_to_get(root)}")
    checks = Checks(not arguments.quick, track, arguments.category, arguments.outside_images)
    if root.is_file():
        reports = [check_file(root, checks, arguments.layout, arguments.images)]
        no_folder = "not checked"
    else:
        reports = check_folder(root, checks, arguments.layout, arguments.images)
        no_folder = "missing"
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    _print_table(console, reports, no_folder)
    _print_sides(console, reports)
    for report in reports:
        if report.note:
            console.print(f"{report.name}: {report.note}", markup=False)
    problems = list(dict.fromkeys(problem for report in reports for problem in report.problems))
    _print_problems(console, problems)
    return int(any(problem.severity == "error" for problem in problems))


def _print_table(console: Console, reports: list[SplitReport], no_folder: str) -> None:
    from rich.table import Table

    table = Table("split")
    table.add_column("annotations", overflow="fold", min_width=32)
    table.add_column("images in", overflow="fold")
    table.add_column("skeleton")
    for count in ("images", "instances", "crowds"):
        table.add_column(count, justify="right")
    for report in reports:
        table.add_row(*_row(report, no_folder))
    console.print(table)


def _print_sides(console: Console, reports: list[SplitReport]) -> None:
    """Which keypoints a flip swaps, of every skeleton that is not a published one."""
    from poselab.skeletons import SKELETONS
    from poselab.skeletons.sides import sides_in_words

    skeletons = dict.fromkeys(report.table.skeleton for report in reports if report.table)
    for skeleton in skeletons:
        if SKELETONS.get(skeleton.name) != skeleton:
            console.print(f"{skeleton.name}: {sides_in_words(skeleton)}", markup=False)
            if not skeleton.left_right_pairs and len(skeleton) > 1:
                console.print(
                    "name left and right ones in training: data.flip_pairs=[[A,B],...]",
                    markup=False,
                )


def _row(report: SplitReport, no_folder: str) -> tuple[str, ...]:
    """The cells of one split: name, files, and what they hold."""
    folder = no_folder if report.images is None else report.images.name
    if report.file is None:
        return report.name, "missing", folder, "", "", "", ""
    table = report.table
    if table is None:
        return report.name, f"{report.file.name} (broken)", folder, "", "", "", ""
    labelled = int(((table.visibility > 0).any(axis=1)).sum())
    counts = (len(table), labelled, int(table.crowd.sum()))
    cells = (f"{count:,}" for count in counts)
    return report.name, report.file.name, folder, table.skeleton.name, *cells


def _print_problems(console: Console, problems: list[Problem]) -> None:
    """The problems by severity and kind, a few of each kind."""
    from rich.markup import escape

    if not problems:
        console.print("nothing is missing or broken")
    ordered = sorted(problems, key=lambda problem: (problem.severity, _kind(problem)))
    for (severity, _), group in groupby(ordered, key=lambda p: (p.severity, _kind(p))):
        same = list(group)
        for problem in same[:_MOST]:
            named = problem.file in problem.sentence
            sentence = problem.sentence if named else f"{problem.file} {problem.sentence}"
            console.print(f"{severity}: {escape(sentence)}")
        if len(same) > _MOST:
            console.print(f"{severity}: ... and {len(same) - _MOST:,} more like this")


def _kind(problem: Problem) -> str:
    """What is common to sentences that differ by their numbers."""
    return "".join(letter for letter in problem.sentence if not letter.isdigit())[:60]
