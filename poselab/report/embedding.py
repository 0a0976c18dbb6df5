"""Images made small enough to stand inside a page."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from poselab.annotations.table import Annotations

LONG_SIDE = 640
QUALITY = 78


def embedded(
    annotations: Annotations, folder: Path, rows: Iterable[int], most: int
) -> dict[int, str]:
    """JPEG data URIs by image row, of the first ``most`` of ``rows`` that lie in ``folder``.

    Raises:
        InputError: none of the images is there, or one cannot be read.
    """
    uris: dict[int, str] = {}
    for row in rows:
        if len(uris) >= most:
            break
        path = folder / annotations.file_name(row)
        if path.is_file():
            uris[row] = _uri(path)
    if most and len(annotations) and not uris:
        raise InputError(
            f"expected images such as {annotations.file_name(0) or 'named by the labels'} in "
            f"{folder}, found none of {len(annotations)}; give the folder that holds them"
        )
    return uris


def measured(annotations: Annotations, folder: Path) -> Annotations:
    """The same with sizes that the labels lack, from the heads of images that lie in ``folder``.

    Images are never turned, whatever way up a camera says that they are.
    """
    from PIL import Image

    sizes = np.array(annotations.sizes)
    for row in np.flatnonzero(sizes.min(axis=1) <= 0).tolist():
        path = folder / annotations.file_name(row)
        with suppress(OSError), Image.open(path) as image:  # what is no image stays unknown
            sizes[row] = image.height, image.width
    return replace(annotations, sizes=sizes, stored="")


def _uri(path: Path) -> str:
    import cv2

    read = np.frombuffer(path.read_bytes(), np.uint8)
    # Labels are in the stored pixels, whatever way up a camera says that they are.
    image = cv2.imdecode(read, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"expected an image in {path}, found something else; is it cut off?")
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = [max(1, round(scale * n)) for n in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
