"""``poselab data leaks``: pictures and people that training and evaluation sets share."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poselab.annotations import Annotations
    from poselab.annotations.leaks import Leak
    from poselab.annotations.picture_prints import Prints
    from poselab.report.draw import Image

_SHOWN, _NAMED, _DRAWN = 20, 5, 60
_DESCRIPTION = """Find pictures and people that a training and an evaluation set share.

  poselab data leaks /data/coco                        its train and its val split
  poselab data leaks /data/aic /data/coco              train of the one, val of the other
  poselab data leaks train.json val.json --pictures images_train images_val
  poselab data leaks train.json valid.json --pictures images --sheet leaks.png

A method that has seen the pictures it is measured on looks better than it is. Four kinds, from the
surest to the least sure:

  same file    the same bytes, whatever the file is called
  alike        the same picture encoded again, resized, brightened or cropped by a few percent
  mirrored     the same of its mirror image
  same people  a person with the very same labelled keypoints (labels alone: no pictures needed)

For alike and mirrored, hashes of 64 bits are compared first, then the grey pictures themselves; the
table gives both the distance in bits and the correlation. Films and series of pictures also yield
pairs that are two pictures of one scene: look at the sheet before you remove anything. What was
cropped by more than a tenth is often missed. Hashes are kept beside the annotation cache, so a
second or an interrupted scan is quick."""


class Side(NamedTuple):
    """One set: its labels, the folder of its pictures (None: not at hand), what to call it."""

    name: str
    table: Annotations
    folder: Path | None


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
        "--pictures",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of TRAIN's and VAL's pictures, or one for both (default: look beside them)",
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
    train, val = _sides(arguments)
    leaks, unread = _scan(train, val, arguments.distance)
    _print(leaks, unread, train, val)
    if arguments.json:
        _write(arguments.json, leaks, unread, train, val)
    if arguments.sheet and leaks:
        _draw(arguments.sheet, leaks, train, val)
    return int(bool(leaks))


def _sides(arguments: argparse.Namespace) -> tuple[Side, Side]:
    folders = list(arguments.pictures or [None])
    if len(folders) > 2:
        raise InputError(f"expected one or two folders of pictures, got {len(folders)}")
    if arguments.val is None and not arguments.train.is_dir():
        raise InputError(
            f"expected VAL beside the annotation file {arguments.train}, got none; give both, or "
            "one folder that holds both splits"
        )
    places = arguments.train, arguments.val or arguments.train
    first, second = (
        _side(place, part, folder, arguments.layout)
        for part, (place, folder) in enumerate(zip(places, (folders[0], folders[-1]), strict=True))
    )
    return first, second


def _side(place: Path, part: int, folder: Path | None, layout: str) -> Side:
    """One set by its annotation file, or by the folder that holds it as a split."""
    from poselab.annotations import open_annotations

    name = ("training", "evaluation")[part]
    if folder is not None and not folder.is_dir():
        raise InputError(f"expected a folder of pictures at {folder}, found none; check the path")
    if place.is_dir():
        place, beside = _split(place, part)
    else:
        beside = _pictures_beside(place)
    table = open_annotations(place, layout)
    folder = folder or (beside if beside.is_dir() else None)
    if folder is None:
        print(f"warning: no pictures of {place} at {beside}; give --pictures", file=sys.stderr)
    return Side(name, table, folder)


def _split(root: Path, part: int) -> tuple[Path, Path]:
    """The annotation file and the picture folder of a split of a data set's folder."""
    from poselab.annotations.layouts import LAYOUTS, layout_of

    layout = layout_of(root)
    chosen = LAYOUTS[layout][part] if layout else None
    file = chosen.found(root) if chosen else None
    if chosen is None or file is None:
        raise InputError(
            f"expected {chosen.name if chosen else 'COCO or MPII'} annotations under {root}, found "
            "none; see `poselab data check`, or give an annotation file"
        )
    return file, root / chosen.pictures


def _pictures_beside(file: Path) -> Path:
    """Where the pictures of an annotation file lie in the official layouts."""
    split = file.name.partition(".")[0].rpartition("_")[2]
    places = [file.parent.parent / split, file.parent.parent / "images", file.parent / "images"]
    return next((place for place in places if place.is_dir()), places[0])


def _scan(train: Side, val: Side, distance: int) -> tuple[list[Leak], dict[str, dict[str, str]]]:
    """Everything shared, and by set the files that could not be read, with reasons."""
    from poselab.annotations import leaks

    found = list(leaks.same_people(train.table, val.table))
    if train.folder is None or val.folder is None:
        print("warning: labels alone were compared, not the pictures", file=sys.stderr)
        return leaks.strongest(found), {}
    ours, theirs = _prints(train, train.folder), _prints(val, val.folder)
    same = list(leaks.same_files(ours, theirs))
    known = {(leak.train, leak.val) for leak in same}
    near = [
        leak
        for leak in leaks.near_hashes(ours, theirs, distance)
        if (leak.train, leak.val) not in known
    ]
    files = [leaks.picture_files(s.table, f) for s, f in ((train, train.folder), (val, val.folder))]
    checked = _tracked(leaks.confirmed(near, *files), len(near), "comparing pictures")
    found += [*same, *(leak for leak in checked if leak is not None)]
    unread = {"train": ours.faults, "val": theirs.faults}
    return leaks.strongest(found), unread


def _prints(side: Side, folder: Path) -> Prints:
    from poselab.annotations.picture_prints import MISSING, Prints, prints

    names = [side.table.file_name(row) for row in range(len(side.table))]
    steps = prints(folder, names, threads=os.cpu_count() or 1)
    *_, taken = _tracked(steps, len(names), f"hashing {side.name} pictures")
    assert isinstance(taken, Prints)
    if taken.faults:
        missing = sum(reason == MISSING for reason in taken.faults.values())
        counts = f"{missing:,} missing, {len(taken.faults) - missing:,} broken"
        named = ", ".join(list(taken.faults)[:_NAMED])
        more = ", ..." if len(taken.faults) > _NAMED else ""
        print(
            f"warning: {len(taken.faults):,} of {len(names):,} {side.name} pictures were not "
            f"compared ({counts}): {named}{more}",
            file=sys.stderr,
        )
    return taken


def _tracked(steps: Iterator[Any], total: int, what: str) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(steps, description=what, total=total, console=console, transient=True)


def _print(leaks: list[Leak], unread: dict[str, dict[str, str]], train: Side, val: Side) -> None:
    """The first pairs, then how many of each kind there are."""
    from poselab.annotations.leaks import KINDS
    from poselab.report.tables import print_table

    if leaks:
        print_table([_row(leak, train, val) for leak in leaks[:_SHOWN]])
    if len(leaks) > _SHOWN:
        print(f"... and {len(leaks) - _SHOWN:,} more pairs (--json writes all)")
    sets = f"{len(train.table):,} training and {len(val.table):,} evaluation pictures"
    if lost := sum(map(len, unread.values())):
        sets += f", {lost:,} of which could not be compared"
    if not leaks:
        print(f"nothing shared by {sets}")
        return
    counts = Counter(leak.kind for leak in leaks)
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])
    shared = len({leak.val for leak in leaks})
    print(f"{shared:,} evaluation pictures shared ({kinds}), of {sets}")


def _row(leak: Leak, train: Side, val: Side) -> dict[str, float | str | None]:
    return {
        "kind": leak.kind,
        "training picture": train.table.file_name(leak.train),
        "evaluation picture": val.table.file_name(leak.val),
        "bits apart": None if leak.distance is None else f"{leak.distance}",
        "correlation": None if leak.likeness is None else f"{leak.likeness:.3f}",
    }


def _write(
    path: Path, leaks: list[Leak], unread: dict[str, dict[str, str]], train: Side, val: Side
) -> None:
    from poselab.files import write_json

    pairs = [
        leak._asdict()
        | {
            f"{key}{what}": value
            for key, side, row in (("train", train, leak.train), ("val", val, leak.val))
            for what, value in (
                ("", side.table.file_name(row)),
                ("_image_id", int(side.table.image_ids[row])),
            )
        }
        for leak in leaks
    ]
    sets = {
        key: {
            "annotations": side.table.source,
            "fingerprint": side.table.fingerprint,
            "pictures": len(side.table),
            "unread": unread.get(key, {}),
        }
        for key, side in (("train", train), ("val", val))
    }
    write_json(path, {**sets, "compared": "pictures" if unread else "labels", "pairs": pairs})


def _draw(path: Path, leaks: list[Leak], train: Side, val: Side) -> None:
    """The first pairs side by side: training left, evaluation right."""
    import cv2
    import numpy as np

    from poselab.files import replacing
    from poselab.report.draw import contact_sheet

    cells = []
    for leak in leaks[:_DRAWN]:
        pair = _picture(train, leak.train), _picture(val, leak.val)
        cells.append(np.concatenate(pair, axis=1))
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4, gap=8)[:, :, ::-1])
    print(f"sheet of {len(cells):,} pairs: {path}")


def _picture(side: Side, row: int) -> Image:
    """A small picture, grey where there is none to read."""
    import numpy as np
    from PIL import Image as Decoder

    from poselab.report.draw import fit_into

    size = (160, 160)
    try:
        with Decoder.open((side.folder or Path()) / side.table.file_name(row)) as picture:
            picture.draft("RGB", size)
            return fit_into(np.asarray(picture.convert("RGB")), size)
    except (OSError, SyntaxError, ValueError):
        return np.full((*size, 3), 230, dtype=np.uint8)
