"""``poselab compare``: which method is better, by how much, how sure that is, and may one ask."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli import scoring
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from poselab.annotations import Annotations
    from poselab.evaluation.comparison import Comparison, PredictionsFile

_EPILOG = """
  poselab compare hrnet.json ours.json --annotations person_keypoints_val2017.json --out compared
  poselab compare heatmap=runs/a,runs/b direct=runs/c,runs/d --annotations GT --out DIR
  poselab compare detections.mat valid-example.h5 --annotations valid.h5 --metric pckh --out DIR

Writes DIR/index.html (opens from disk), table.md, table.tex, metrics.csv and comparison.json.
Several files of one name, joined by commas, are seeds of one method. Exit status 0 compared, 1
nothing comparable, 2 wrong use.
"""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description="Compare methods on the same labels: figures with confidence intervals, "
        "paired differences with p-values, a page with plots and images.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument(
        "methods",
        nargs="+",
        metavar="METHOD",
        help="a run folder or a results file of any kind that evaluate reads; NAME=FILE[,FILE...] "
        "names it",
    )
    scoring.add_words(words)
    words.add_argument("--out", type=Path, required=True, metavar="DIR")
    words.add_argument("--images", type=Path, metavar="DIR", help="images to show on the page")
    words.add_argument("--replicates", type=int, default=1000, help="bootstrap draws (1000)")
    words.add_argument("--seed", type=int, default=0, help="of the bootstrap (0)")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Read, score, resample, print the table, write everything."""
    scoring.check_replicates(arguments)
    annotations = scoring.annotations_of(arguments)
    named = {
        name: [_read(path, annotations, scoring.kind_of(arguments)) for path in paths]
        for name, paths in named_paths(arguments.methods).items()
    }
    comparison = _compared(arguments, named, annotations)
    _write(comparison, arguments)
    return 0


def named_paths(words: list[str]) -> dict[str, list[Path]]:
    """Files by the method's name: NAME=FILE[,FILE...], or a path that names itself.

    Raises:
        InputError: two methods of one name, or an empty one.
    """
    named: dict[str, list[Path]] = {}
    bare = [Path(word) for word in words if "=" not in word]
    for word in words:
        name, equals, rest = word.partition("=")
        paths = [Path(part) for part in rest.split(",")] if equals else [Path(word)]
        name = name if equals else _own_name(Path(word), bare)
        if not name or name in named or Path() in paths:
            raise InputError(
                f"expected methods of different names, got {word!r}; write NAME=FILE,FILE"
            )
        named[name] = paths
    return named


def _own_name(path: Path, among: list[Path]) -> str:
    """The shortest end of a path that none of the others shares."""
    parts = path.with_suffix("").parts if path.suffix else path.parts
    others = [p.with_suffix("").parts if p.suffix else p.parts for p in among if p != path]
    length = 1
    while length < len(parts) and any(o[-length:] == parts[-length:] for o in others):
        length += 1
    return "/".join(parts[-length:])


def _read(path: Path, annotations: Annotations, metric: str) -> PredictionsFile:
    """One file, checked; what is odd about it is said on stderr."""
    from poselab.evaluation.comparability import read_comparability
    from poselab.evaluation.comparison import PredictionsFile
    from poselab.evaluation.validation.checks import check

    poses = scoring.read_poses(path, annotations)
    for warning in check(poses, annotations, metric):
        print(f"warning: {path}: {warning}", file=sys.stderr)
    file = scoring.predictions_file(path)
    return PredictionsFile(file, poses, read_comparability(file))


def _compared(
    arguments: argparse.Namespace, named: dict[str, list[PredictionsFile]], annotations: Annotations
) -> Comparison:
    from poselab.evaluation.comparison import compare

    evaluator = scoring.evaluator_of(arguments)
    with _progress(arguments.replicates) as advance:
        return compare(named, annotations, evaluator, arguments.replicates, arguments.seed, advance)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Any]]:
    """A bar on stderr where a terminal shows it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("resampling images", total=total)
        yield lambda done: bar.advance(task, done)


def _write(comparison: Comparison, arguments: argparse.Namespace) -> None:
    from poselab.io.files import write_bytes, write_json
    from poselab.report import comparison_table as table
    from poselab.report.page import write_page
    from poselab.report.tables import csv_text, latex, markdown, print_table

    marked = table.incomparable_methods(comparison)
    rows, notes = table.summary_rows(comparison, marked), table.notes(comparison, marked)
    out: Path = arguments.out
    text = markdown(rows) + "".join(f"\n{note}\n" for note in notes)
    if len(comparison.pairs) > 1:
        text += "\n" + markdown(table.pair_rows(comparison))
    write_bytes(out / "table.md", text.encode())
    write_bytes(out / "table.tex", latex(rows, notes).encode())
    write_bytes(out / "metrics.csv", csv_text(table.metric_rows(comparison)).encode())
    write_json(out / "comparison.json", comparison.to_json())
    print_table(rows)
    if len(comparison.pairs) > 1:
        print_table(table.pair_rows(comparison))
    print("\n".join(notes))
    print(f"tables: {out}")
    print("drawing the page ...", file=sys.stderr)
    print(f"page: {write_page(comparison, out / 'index.html', image_folder=arguments.images)}")
