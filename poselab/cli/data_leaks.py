"""``poselab data leaks``: images and people that training and evaluation sets share."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING

from poselab.cli.annotation_words import add_category, add_outside_images
from poselab.cli.arguments import Arguments, output_file, path, whole
from poselab.cli.progress_bar import track

if TYPE_CHECKING:
    from poselab.datasets.leaks.find import Leaks
    from poselab.datasets.leaks.image_sets import ImageSet

_ROWS, _DRAWN, _NAMED = 20, 60, 5
_DESCRIPTION = """Find images and people that a training and an evaluation set share.

  poselab data leaks /data/coco                        its train and its val split
  poselab data leaks /data/aic /data/coco              train of the one, val of the other
  poselab data leaks train.json val.json --images images_train images_val
  poselab data leaks train.json valid.json --images images --sheet leaks.png

A method that was trained on its evaluation images looks better than it is. Four kinds of leaks are
reported, the most certain first:

  same file       the same bytes, whatever the file is called
  near duplicate  the same image encoded again, resized, brightened or cropped by a few percent
  flipped         a near duplicate of its horizontal flip
  same keypoints  a person with the very same keypoints (from the annotations: no images needed)

For near duplicates and flipped ones, hashes of 64 bits are compared first, then the grey images
themselves; the table gives both the distance in bits and the correlation. Frames of one video
also yield pairs that are two images of one scene: look at the sheet before you remove anything.
Images that were cropped by more than a tenth are often missed. Hashes are kept beside the
annotation cache, so that a second or an interrupted scan is quick."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 nothing is shared, 1 something is shared (or the sets cannot be "
        "read), 2 usage error.",
    )
    arguments.add_argument(
        "train",
        type=path,
        metavar="TRAIN",
        help="annotation file, or folder in the official COCO or MPII layout",
    )
    arguments.add_argument(
        "val", type=path, metavar="VAL", nargs="?", help="the same (default: val split of TRAIN)"
    )
    arguments.add_argument(
        "--images",
        type=path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of TRAIN's and VAL's images, or one for both (default: beside them)",
    )
    arguments.add_argument(
        "--layout", default="auto", help="of annotation files (default: recognise it)"
    )
    add_category(arguments)
    add_outside_images(arguments)
    arguments.add_argument(
        "--distance",
        type=whole(0, 32),
        default=14,
        help="of the 64 bits of a hash, how many may differ (14)",
    )
    arguments.add_argument("--json", type=output_file, metavar="OUT", help="also write all pairs")
    arguments.add_argument(
        "--sheet", type=output_file, metavar="OUT.png", help="draw pairs side by side"
    )
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Scan, print, write; 1 when the sets share anything."""
    from poselab.datasets.leaks.find import find_leaks, leaks_record
    from poselab.datasets.leaks.image_sets import Opening, open_image_sets
    from poselab.io.files import write_json
    from poselab.report.leaks import draw_leaks

    how = Opening(arguments.layout, arguments.category, arguments.outside_images)
    sets = open_image_sets(arguments.train, arguments.val, arguments.images, how)
    leaks = find_leaks(*sets, arguments.distance, track)
    _warn(leaks, *sets)
    _print(leaks, *sets)
    if arguments.json:
        write_json(arguments.json, leaks_record(leaks, *sets))
    if arguments.sheet and leaks.pairs:
        draw_leaks(arguments.sheet, leaks.pairs[:_DRAWN], *sets)
        print(f"sheet of {len(leaks.pairs[:_DRAWN]):,} pairs: {arguments.sheet}")
    return int(bool(leaks.pairs))


def _warn(leaks: Leaks, *sets: ImageSet) -> None:
    """Warn of what could not be compared."""
    from poselab.datasets.leaks.image_hashes import MISSING

    if leaks.unread is None:
        print("warning: annotations alone were compared, not the images", file=sys.stderr)
        return
    for images, unread in zip(sets, leaks.unread, strict=True):
        if unread:
            missing = sum(reason == MISSING for reason in unread.values())
            counts = f"{missing:,} missing, {len(unread) - missing:,} broken"
            named = ", ".join(list(unread)[:_NAMED]) + (", ..." if len(unread) > _NAMED else "")
            print(
                f"warning: {len(unread):,} of {len(images.table):,} {images.name} images were not "
                f"compared ({counts}): {named}",
                file=sys.stderr,
            )


def _print(leaks: Leaks, train: ImageSet, val: ImageSet) -> None:
    """The first pairs, then how many of each kind there are."""
    from poselab.datasets.leaks.shared_images import LEAK_KINDS
    from poselab.report.leaks import leak_row
    from poselab.report.tables import print_table

    pairs = leaks.pairs
    if pairs:
        print_table([leak_row(leak, train, val) for leak in pairs[:_ROWS]])
    if len(pairs) > _ROWS:
        print(f"... and {len(pairs) - _ROWS:,} more pairs (--json writes all)")
    sets = f"{len(train.table):,} training and {len(val.table):,} evaluation images"
    if unread := sum(map(len, leaks.unread or ())):
        sets += f", {unread:,} of which could not be compared"
    if not pairs:
        print(f"nothing shared by {sets}")
        return
    counts = Counter(leak.kind for leak in pairs)
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in LEAK_KINDS if counts[kind])
    shared = len({leak.val for leak in pairs})
    print(f"{shared:,} evaluation images shared ({kinds}), of {sets}")
