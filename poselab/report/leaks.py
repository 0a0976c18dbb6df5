"""Images that two sets share: as table rows, and drawn side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.datasets.leaks.image_sets import ImageSet
    from poselab.datasets.leaks.shared_images import Leak
    from poselab.report.draw import Image
    from poselab.report.tables import Row


def leak_row(leak: Leak, train: ImageSet, val: ImageSet) -> Row:
    """One pair as a table's row."""
    return {
        "kind": leak.kind,
        "training image": train.table.file_name(leak.train),
        "evaluation image": val.table.file_name(leak.val),
        "bits apart": None if leak.distance is None else f"{leak.distance}",
        "correlation": None if leak.correlation is None else f"{leak.correlation:.3f}",
    }


def draw_leaks(path: Path, leaks: list[Leak], train: ImageSet, val: ImageSet) -> None:
    """Draw pairs on one sheet: the training image left, the evaluation image right.

    Raises:
        InputError: the folder cannot be written.
    """
    import cv2
    import numpy as np

    from poselab.io.files import replacing
    from poselab.report.draw import contact_sheet

    cells = [
        np.concatenate([_thumbnail(train, leak.train), _thumbnail(val, leak.val)], axis=1)
        for leak in leaks
    ]
    with replacing(path) as temporary:
        cv2.imwrite(str(temporary), contact_sheet(cells, columns=4, gap=8)[:, :, ::-1])


def _thumbnail(images: ImageSet, row: int) -> Image:
    """A small image, grey where there is none to read."""
    import numpy as np

    from poselab.io.images import read_image
    from poselab.report.draw import fit_into

    size, table = (160, 160), images.table
    try:
        image = read_image(table.image_path(images.folder or Path(), row), table.image_size(row))
    except InputError:
        return np.full((*size, 3), 230, dtype=np.uint8)
    return fit_into(image, size)
