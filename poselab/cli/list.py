"""poselab list: the experiments, methods, models, metrics and so on that PoseLab has."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from poselab.cli.arguments import Arguments, path
from poselab.experiments.config.listing import KINDS, listing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

LIGHT = True


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="List experiments, methods, backbones and so on. Experiments come with their "
        "paper, the published value in percent, input size, parameters and the data they need. "
        "Settings are those that the authors of a published value trained and tested with, read in "
        "their code, beside those of our recipe; where these differ on purpose, the reason.",
        epilog="examples: poselab list experiments 'coco/*rle*'; "
        "poselab list settings coco/hrnet_w32_256x192",
    )
    arguments.add_argument("kind", nargs="?", choices=KINDS, help="what to list")
    arguments.add_argument(
        "pattern", nargs="?", default="", help="a part of a name, or a pattern such as '*rle*'"
    )
    arguments.add_argument("--json", action="store_true", help="print all columns in full, as JSON")
    arguments.add_argument(
        "--config-dir", type=path, action="append", default=[], help="a folder of your own configs"
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or the help where no kind is named."""
    if arguments.kind is None:
        parser().print_help()
        return 0
    rows = listing(arguments.kind, arguments.pattern, arguments.config_dir)
    if arguments.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        cells = [[_cell(key, value) for key, value in row.items()] for row in rows]
        (_draw if sys.stdout.isatty() else _print_columns)(list(rows[0]), cells)
    return 0


def _cell(key: str, value: Any) -> str:
    """A value as a reader sees it: short papers, one published metric, millions of parameters."""
    if value in (None, {}, ""):
        return ""
    if key == "published":
        name, percent = next(iter(value.items()))
        return f"{name} {percent:.1f}"
    if key == "parameters":
        return f"{value / 1e6:.2f} M"
    if key == "input":
        return "x".join(map(str, value))
    if key == "paper":
        authors_and_year = re.match(r".*?\d{4}", value)
        return authors_and_year[0] if authors_and_year else value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _draw(names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for n, name in enumerate(names):
        table.add_column(
            name,
            no_wrap=n == 0,
            overflow="fold",
            justify="right" if name in ("parameters", "rows", "experiments") else "left",
        )
    for row in cells:
        table.add_row(*row)
    Console().print(table, markup=False)


def _print_columns(names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Columns side by side, for other programs: two spaces or more stand between them."""
    lines = [names, *([cell or "-" for cell in row] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        )
