"""``poselab data check``: say what is missing or broken in a data set, and how to get it."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from poselab.annotations import Annotations
    from poselab.annotations.check import Finding
    from poselab.datasets.layouts import Part

_SHOWN = 5


def parser() -> argparse.ArgumentParser:
    """The words that ``poselab data check`` understands."""
    words = argparse.ArgumentParser(
        description="Say what is missing or broken in a data set, and how to get it. Exit status: "
        "0 nothing breaks training (there may be warnings), 1 something does.",
    )
    words.add_argument(
        "root",
        type=Path,
        help="folder in the layout of COCO, MPII, LSP, FLIC or PARSE, or an annotation file",
    )
    words.add_argument("--layout", help="coco, mpii, ...; of a file: its reader (default: look)")
    words.add_argument("--images", type=Path, help="folder of the images, if it is another")
    words.add_argument("--quick", action="store_true", help="do not decode the images")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Print a table of what is there and the findings; 1 when one of them breaks training."""
    from rich.console import Console

    if not arguments.root.exists():
        raise InputError(f"expected a data set at {arguments.root}, found nothing; {_how_to_get()}")
    width = None if sys.stdout.isatty() else 120
    console = Console(highlight=False, soft_wrap=True, width=width)
    check = _check_file if arguments.root.is_file() else _check_folder
    findings = check(console, arguments)
    _print_findings(console, findings)
    return int(any(finding.severity == "error" for finding in findings))


def _how_to_get() -> str:
    from poselab.datasets.layouts import LAYOUTS

    parts = [part for layout in LAYOUTS.values() for part in layout]
    addresses = dict.fromkeys(a for p in parts for a in (p.get_annotations, p.get_images))
    return "get COCO or MPII from " + ", ".join(addresses)


def _check_folder(console: Console, arguments: argparse.Namespace) -> list[Finding]:
    results = [_check_part(console, arguments, part) for part in _parts(arguments)]
    _print_table(console, [row for row, _ in results])
    return list(dict.fromkeys(finding for _, found in results for finding in found))


def _parts(arguments: argparse.Namespace) -> tuple[Part, ...]:
    """The splits that the folder should hold."""
    from poselab.datasets.layouts import LAYOUTS, SINGLE, layout_of, single_split

    layout = arguments.layout or layout_of(arguments.root)
    if layout in LAYOUTS:
        return LAYOUTS[layout]
    if layout is not None and layout not in SINGLE:
        known = ", ".join((*LAYOUTS, *SINGLE))
        raise InputError(f"expected a folder layout out of {known}, got {layout!r}")
    if single := single_split(arguments.root):
        return (single,)
    raise InputError(
        f"expected the folders of COCO (annotations, train2017, val2017) or MPII (annotations, "
        f"images), or the .mat file of LSP, FLIC or PARSE under {arguments.root}, found none of "
        f"them; {_how_to_get()}"
    )


def _check_file(console: Console, arguments: argparse.Namespace) -> list[Finding]:
    from poselab.annotations.check import Finding

    missing = arguments.images is not None and not arguments.images.is_dir()
    images = None if missing else arguments.images
    table, findings = _check(console, arguments, arguments.root, images)
    if missing:
        findings.append(Finding(str(arguments.images), -1, "is missing; check the path", "error"))
    _print_table(console, [_row(arguments.root.name, arguments.root, images, table)])
    return findings


def _check_part(
    console: Console, arguments: argparse.Namespace, part: Part
) -> tuple[tuple[str, ...], list[Finding]]:
    """A row of the table and the findings of one split."""
    from poselab.annotations.check import Finding

    file = part.found(arguments.root)
    folder = arguments.images or arguments.root / part.images
    images = folder if folder.is_dir() else None
    findings: list[Finding] = []
    table = None
    if file is None:
        wanted = arguments.root / part.annotations[0]
        sentence = f"is missing; get it from {part.get_annotations}"
        findings.append(Finding(str(wanted), -1, sentence, "error"))
    else:
        table, findings = _check(console, arguments, file, images, part.partial)
    if images is None:
        sentence = f"is missing; unpack {part.get_images} there"
        findings.append(Finding(str(folder), -1, sentence, "error"))
    name, labels, _, *counts = _row(part.name, file, images, table)
    return (name, labels, "missing" if images is None else images.name, *counts), findings


def _check(
    console: Console,
    arguments: argparse.Namespace,
    file: Path,
    images: Path | None,
    partial: bool = False,
) -> tuple[Annotations | None, list[Finding]]:
    """The table of a file, if it opens, and the findings in it and its images.

    ``partial``: of the images that are there, if not all are.
    """
    from poselab.annotations import open_annotations
    from poselab.annotations.check import Finding, annotation_findings, present_images

    layout = arguments.layout if arguments.root == file and arguments.layout else "auto"
    try:
        table = open_annotations(file, layout)
    except InputError as error:
        return None, [Finding(str(file), -1, str(error), "error")]
    named = not table.file_name(0).endswith(".unknown")
    absent: list[Finding] = []
    if images is not None and named and partial:
        table, absent = present_images(table, images)
    findings = [*absent, *annotation_findings(table)]
    if images is not None and named:
        findings += _check_images(table, images, not arguments.quick)
    return table, findings


def _check_images(table: Annotations, images: Path, decode: bool) -> list[Finding]:
    from rich.console import Console
    from rich.progress import track

    from poselab.annotations.check import image_findings

    steps = track(
        image_findings(table, images, decode, threads=os.cpu_count() or 1),
        description=f"{'decoding' if decode else 'finding'} images in {images.name}",
        total=len(table),
        console=Console(stderr=True),
        transient=True,
    )
    return [finding for finding in steps if finding is not None]


def _row(
    name: str, file: Path | None, images: Path | None, table: Annotations | None
) -> tuple[str, ...]:
    """The cells of one split: name, files, and what they hold."""
    folder = "not checked" if images is None else images.name
    if file is None:
        return name, "missing", folder, "", "", "", ""
    if table is None:
        return name, f"{file.name} (broken)", folder, "", "", "", ""
    labelled = int(((table.visibility > 0).any(axis=1)).sum())
    counts = (len(table), labelled, int(table.crowd.sum()))
    return name, file.name, folder, table.skeleton.name, *(f"{count:,}" for count in counts)


def _print_table(console: Console, rows: list[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table("split")
    table.add_column("annotations", overflow="fold", min_width=32)
    table.add_column("images in", overflow="fold")
    table.add_column("skeleton")
    for count in ("images", "instances", "crowds"):
        table.add_column(count, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_findings(console: Console, findings: list[Finding]) -> None:
    """The findings by severity and kind, a few of each kind."""
    from rich.markup import escape

    if not findings:
        console.print("nothing is missing or broken")
    ordered = sorted(findings, key=lambda found: (found.severity, _kind(found)))
    for (severity, _), group in groupby(ordered, key=lambda f: (f.severity, _kind(f))):
        same = list(group)
        for finding in same[:_SHOWN]:
            named = finding.file in finding.sentence
            sentence = finding.sentence if named else f"{finding.file} {finding.sentence}"
            console.print(f"{severity}: {escape(sentence)}")
        if len(same) > _SHOWN:
            console.print(f"{severity}: ... and {len(same) - _SHOWN:,} more like this")


def _kind(finding: Finding) -> str:
    """What is alike in sentences that differ by their numbers."""
    return "".join(letter for letter in finding.sentence if not letter.isdigit())[:60]
