"""``poselab compare``: which method is better, by how much, and how certain that is."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli import scoring
from poselab.cli.annotation_words import add_outside_images
from poselab.cli.arguments import Arguments, output_folder, path, seed, whole
from poselab.evaluation.statistics import MOST_REPLICATES
from poselab.io.folders import only_writer
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EPILOG = """
  poselab compare hrnet.json ours.json --annotations person_keypoints_val2017.json --out compared
  poselab compare heatmap=runs/a,runs/b direct=runs/c,runs/d --annotations GT --out DIR
  poselab compare detections.mat valid-example.h5 --annotations valid.h5 --metric pckh --out DIR

Writes DIR/index.html (opens from disk), table.md, table.tex, metrics.csv and comparison.json.
Several files of one name, joined by commas, are seeds of one method. Exit status: 0 compared, 1
the files cannot be compared, 2 usage error.
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Compare methods on the same annotations: values with confidence intervals, "
        "paired differences with p-values, a page with plots and images.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a run folder, or a results file that `poselab evaluate` reads; NAME=FILE[,FILE...] "
        "names the method",
    )
    scoring.add_scoring_options(arguments)
    arguments.add_argument("--out", type=output_folder, required=True, metavar="DIR")
    arguments.add_argument("--images", type=path, metavar="DIR", help="images to show on the page")
    add_outside_images(arguments)
    arguments.add_argument(
        "--replicates",
        type=whole(1, MOST_REPLICATES),
        default=1000,
        help="bootstrap replicates (1000)",
    )
    arguments.add_argument("--seed", type=seed, default=0, help="of the bootstrap (0)")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Compare, warn on stderr, print the tables, write everything."""
    from poselab.report.comparison_report import compare

    methods, evaluator = named_paths(arguments.methods), scoring.evaluator_of(arguments)
    with only_writer(arguments.out), _progress(arguments.replicates) as advance:
        comparison = compare(
            methods,
            replace(scoring.annotations_of(arguments), outside_images=arguments.outside_images),
            evaluator,
            arguments.replicates,
            arguments.seed,
            progress=advance,
            array=scoring.array_options_of(arguments),
        )
        for note in comparison.notes:
            print(f"note: {note}", file=sys.stderr)
        for warning in comparison.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(comparison)
        print("drawing the page ...", file=sys.stderr)
        page = comparison.write(arguments.out, arguments.images)
        print(f"tables: {arguments.out}\npage: {page}")
    return 0


def named_paths(words: list[str]) -> dict[str, list[Path]]:
    """Files by the method's name: NAME=FILE[,FILE...], or a path that names itself.

    Raises:
        InputError: two methods have one name, or a name or path is empty.
    """
    named: dict[str, list[Path]] = {}
    bare = [Path(word) for word in words if "=" not in word]
    for word in words:
        name, equals, rest = word.partition("=")
        paths = [Path(part) for part in rest.split(",")] if equals else [Path(word)]
        name = name if equals else _shortest_unique_name(Path(word), bare)
        if not name or name in named or Path() in paths:
            raise InputError(
                f"expected methods of different names, got {word!r}; write NAME=FILE,FILE"
            )
        named[name] = paths
    return named


def _shortest_unique_name(path: Path, among: list[Path]) -> str:
    """The last parts of a path, as few as distinguish it from all others."""
    parts = path.with_suffix("").parts if path.suffix else path.parts
    others = [p.with_suffix("").parts if p.suffix else p.parts for p in among if p != path]
    length = 1
    while length < len(parts) and any(o[-length:] == parts[-length:] for o in others):
        length += 1
    return "/".join(parts[-length:])


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Any]]:
    """A progress bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("resampling images", total=total)

    def advance(done: int) -> None:
        bar.start()  # not before: its thread would forbid second processes
        bar.advance(task, done)

    try:
        yield advance
    finally:
        bar.stop()
