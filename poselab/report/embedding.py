"""Images made small enough to be embedded in a page."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from poselab.io.image_names import what_to_do
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.structures import Size

LONG_SIDE = 640
QUALITY = 78


def embed_images(
    annotations: Annotations, folder: Path, rows: Iterable[int], most: int
) -> dict[int, str]:
    """JPEG data URIs by image row, of the first ``most`` of ``rows`` whose file is in ``folder``.

    Raises:
        InputError: none of the images is there, or one cannot be read.
    """
    uris: dict[int, str] = {}
    for row in rows:
        if len(uris) >= most:
            break
        path = annotations.image_path(folder, row)
        if path.is_file():
            uris[row] = _uri(path, annotations.image_size(row))
    if most and len(annotations) and not uris:
        name = annotations.file_name(0)
        such = f"such as {shortened(name)}" if name else "named by the annotations"
        raise InputError(
            f"expected images {such} in {folder}, found none of {len(annotations)}; give the "
            f"folder that holds them, or {what_to_do(name, annotations.outside_images)}"
        )
    return uris


def with_image_sizes(annotations: Annotations, folder: Path) -> Annotations:
    """The annotations with the sizes they lack, read from the headers of images in ``folder``."""
    from poselab.io.images import read_header

    sizes = np.array(annotations.sizes)
    for row in np.flatnonzero(sizes.min(axis=1) <= 0).tolist():
        with suppress(InputError):  # other files have no size
            sizes[row] = read_header(annotations.image_path(folder, row)).upright_size
    return replace(annotations, sizes=sizes, cache_file="")


def _uri(path: Path, annotated: Size) -> str:
    import cv2

    from poselab.io.images import read_image

    image = read_image(path, annotated)
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = [max(1, round(scale * n)) for n in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
