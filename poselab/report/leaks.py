"""What `data leaks` found: as a table, as JSON and as a sheet of images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poselab.datasets.leaks.shared_images import Leak
    from poselab.datasets.leaks.sides import Side
    from poselab.report.draw import Image
    from poselab.report.tables import Row

_SHOWN, _DRAWN = 20, 60


def show(leaks: list[Leak], unread: dict[str, dict[str, str]], train: Side, val: Side) -> None:
    """The first pairs, then how many of each kind there are."""
    from poselab.datasets.leaks.shared_images import KINDS
    from poselab.report.tables import print_table

    if leaks:
        print_table([_row(leak, train, val) for leak in leaks[:_SHOWN]])
    if len(leaks) > _SHOWN:
        print(f"... and {len(leaks) - _SHOWN:,} more pairs (--json writes all)")
    sets = f"{len(train.table):,} training and {len(val.table):,} evaluation images"
    if lost := sum(map(len, unread.values())):
        sets += f", {lost:,} of which could not be compared"
    if not leaks:
        print(f"nothing shared by {sets}")
        return
    counts = Counter(leak.kind for leak in leaks)
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])
    shared = len({leak.val for leak in leaks})
    print(f"{shared:,} evaluation images shared ({kinds}), of {sets}")


def _row(leak: Leak, train: Side, val: Side) -> Row:
    return {
        "kind": leak.kind,
        "training image": train.table.file_name(leak.train),
        "evaluation image": val.table.file_name(leak.val),
        "bits apart": None if leak.distance is None else f"{leak.distance}",
        "correlation": None if leak.likeness is None else f"{leak.likeness:.3f}",
    }


def write(
    path: Path, leaks: list[Leak], unread: dict[str, dict[str, str]], train: Side, val: Side
) -> None:
    """All pairs and the sets they are of, as JSON."""
    from poselab.io.files import write_json

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
            "images": len(side.table),
            "unread": unread.get(key, {}),
        }
        for key, side in (("train", train), ("val", val))
    }
    write_json(path, {**sets, "compared": "images" if unread else "labels", "pairs": pairs})


def draw(path: Path, leaks: list[Leak], train: Side, val: Side) -> None:
    """The first pairs side by side: training left, evaluation right."""
    import cv2
    import numpy as np

    from poselab.io.files import replacing
    from poselab.report.draw import contact_sheet

    cells = []
    for leak in leaks[:_DRAWN]:
        pair = _image(train, leak.train), _image(val, leak.val)
        cells.append(np.concatenate(pair, axis=1))
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4, gap=8)[:, :, ::-1])
    print(f"sheet of {len(cells):,} pairs: {path}")


def _image(side: Side, row: int) -> Image:
    """A small image, grey where there is none to read."""
    import numpy as np
    from PIL import Image as Decoder

    from poselab.report.draw import fit_into

    size = (160, 160)
    try:
        with Decoder.open((side.folder or Path()) / side.table.file_name(row)) as image:
            image.draft("RGB", size)
            return fit_into(np.asarray(image.convert("RGB")), size)
    except (OSError, SyntaxError, ValueError):
        return np.full((*size, 3), 230, dtype=np.uint8)
