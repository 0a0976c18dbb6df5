"""``poselab data leaks``: images and people that training and evaluation sets share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poselab.cli import leak_output
from poselab.datasets.leaks.sides import sides
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poselab.datasets.leaks.image_hashes import Prints
    from poselab.datasets.leaks.shared_images import Leak
    from poselab.datasets.leaks.sides import Side

_NAMED = 5
_DESCRIPTION = """Find images and people that a training and an evaluation set share.

  poselab data leaks /data/coco                        its train and its val split
  poselab data leaks /data/aic /data/coco              train of the one, val of the other
  poselab data leaks train.json val.json --images images_train images_val
  poselab data leaks train.json valid.json --images images --sheet leaks.png

A method that has seen the images it is measured on looks better than it is. Four kinds, from the
surest to the least sure:

  same file    the same bytes, whatever the file is called
  alike        the same image encoded again, resized, brightened or cropped by a few percent
  flipped     the same of its horizontal flip
  same people  a person with the very same labelled keypoints (labels alone: no images needed)

For alike and flipped, hashes of 64 bits are compared first, then the grey images themselves; the
table gives both the distance in bits and the correlation. Films and series of images also yield
pairs that are two images of one scene: look at the sheet before you remove anything. What was
cropped by more than a tenth is often missed. Hashes are kept beside the annotation cache, so a
second or an interrupted scan is quick."""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 nothing shared, 1 something is (or the sets cannot be read), 2 "
        "wrong use.",
    )
    words.add_argument(
        "train",
        type=Path,
        metavar="TRAIN",
        help="annotation file, or folder in the official COCO or MPII layout",
    )
    words.add_argument(
        "val", type=Path, metavar="VAL", nargs="?", help="likewise (default: val split of TRAIN)"
    )
    words.add_argument(
        "--images",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of TRAIN's and VAL's images, or one for both (default: look beside them)",
    )
    words.add_argument("--layout", default="auto", help="of annotation files (default: look)")
    words.add_argument(
        "--distance", type=int, default=14, help="bits of 64 in which hashes may differ (14)"
    )
    words.add_argument("--json", type=Path, metavar="OUT", help="also write all pairs")
    words.add_argument("--sheet", type=Path, metavar="OUT.png", help="draw pairs side by side")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Scan, print, write; 1 when the sets share anything."""
    if not 0 <= arguments.distance <= 32:
        raise InputError(f"expected a distance of 0 to 32 bits, got {arguments.distance}")
    train, val = sides(arguments)
    leaks, unread = _scan(train, val, arguments.distance)
    leak_output.show(leaks, unread, train, val)
    if arguments.json:
        leak_output.write(arguments.json, leaks, unread, train, val)
    if arguments.sheet and leaks:
        leak_output.draw(arguments.sheet, leaks, train, val)
    return int(bool(leaks))


def _scan(train: Side, val: Side, distance: int) -> tuple[list[Leak], dict[str, dict[str, str]]]:
    """Everything shared, and by set the files that could not be read, with reasons."""
    from poselab.datasets.leaks import shared_images as leaks

    found = list(leaks.same_people(train.table, val.table))
    if train.folder is None or val.folder is None:
        print("warning: labels alone were compared, not the images", file=sys.stderr)
        return leaks.strongest(found), {}
    ours, theirs = _prints(train, train.folder), _prints(val, val.folder)
    same = list(leaks.same_files(ours, theirs))
    known = {(leak.train, leak.val) for leak in same}
    near = [
        leak
        for leak in leaks.near_hashes(ours, theirs, distance)
        if (leak.train, leak.val) not in known
    ]
    files = [leaks.image_files(s.table, f) for s, f in ((train, train.folder), (val, val.folder))]
    checked = _tracked(leaks.confirmed(near, *files), len(near), "comparing images")
    found += [*same, *(leak for leak in checked if leak is not None)]
    unread = {"train": ours.faults, "val": theirs.faults}
    return leaks.strongest(found), unread


def _prints(side: Side, folder: Path) -> Prints:
    from poselab.datasets.leaks.image_hashes import MISSING, Prints, prints

    names = [side.table.file_name(row) for row in range(len(side.table))]
    steps = prints(folder, names, threads=os.cpu_count() or 1)
    *_, taken = _tracked(steps, len(names), f"hashing {side.name} images")
    assert isinstance(taken, Prints)
    if taken.faults:
        missing = sum(reason == MISSING for reason in taken.faults.values())
        counts = f"{missing:,} missing, {len(taken.faults) - missing:,} broken"
        named = ", ".join(list(taken.faults)[:_NAMED])
        more = ", ..." if len(taken.faults) > _NAMED else ""
        print(
            f"warning: {len(taken.faults):,} of {len(names):,} {side.name} images were not "
            f"compared ({counts}): {named}{more}",
            file=sys.stderr,
        )
    return taken


def _tracked(steps: Iterator[Any], total: int, what: str) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(steps, description=what, total=total, console=console, transient=True)
