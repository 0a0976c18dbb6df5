"""Image files: their size, which way is up, and their pixels.

An image is turned upright by its camera's orientation tag (EXIF), as viewers and most annotation
tools show it, unless its annotated size fits only the stored pixels: such annotations are made, as
those of COCO, by tools that ignore the tag.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image as Decoder
from PIL import UnidentifiedImageError

from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.structures import Floats, Size

Image = np.ndarray[Any, np.dtype[np.uint8]]

UNKNOWN: Size = (0, 0)
"""The annotated size of an image where annotations have none."""

_FLAGS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_ORIENTATION_TAG = 0x0112
_JPEG_START, _JPEG_END, _TAIL = b"\xff\xd8", b"\xff\xd9", 4096

if "OPENCV_LOG_LEVEL" not in os.environ:  # what cannot be decoded is said in one sentence
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class ImageHeader(NamedTuple):
    """(height, width) of the stored pixels, and how they lie.

    ``orientation`` is that of EXIF: 1 upright; stored pixels of 5 to 8 have rows for columns.
    """

    size: Size
    orientation: int = 1

    @property
    def upright_size(self) -> Size:
        """(height, width) of the image as it is shown."""
        height, width = self.size
        return (width, height) if self.orientation >= 5 else (height, width)

    def orientation_for(self, annotated: Size) -> int:
        """The orientation to turn by where annotations say this (height, width), 1 for none."""
        as_stored = annotated == self.size != self.upright_size
        return 1 if as_stored else self.orientation


def read_header(path: Path, content: bytes | None = None) -> ImageHeader:
    """Size and orientation of an image file, or of its ``content`` where that is read already.

    Raises:
        InputError: no such file, not an image, or one of more pixels than are decoded.
    """
    try:
        with Decoder.open(path if content is None else io.BytesIO(content)) as image:
            width, height = image.size
            orientation = _orientation(image)
    except Exception as error:  # decoders raise errors of many kinds for damaged files
        raise _unreadable(path, error) from None
    return ImageHeader((height, width), orientation)


def _orientation(image: Any) -> int:
    """The orientation tag; 1 where it is damaged, and in TIFF, which decoders turn themselves."""
    tag = 1
    if "exif" in image.info:  # asking for the tag decodes a PNG without one
        with suppress(Exception):
            tag = image.getexif().get(_ORIENTATION_TAG, 1)
    return int(tag) if tag in range(1, 9) else 1


def read_content(path: Path) -> tuple[bytes, ImageHeader]:
    """The bytes of an image file, and what its header says; errors as in :func:`read_header`."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return content, read_header(path, content)


def read_image(path: Path, annotated: Size = UNKNOWN) -> Image:
    """The pixels (H, W, 3) of an image, RGB, turned as its annotated (height, width) says.

    Of an animation they are those of the first frame; transparency is left out.

    Raises:
        InputError: no such file, not an image, one of too many pixels, or one that is cut off.
    """
    content, header = read_content(path)
    return turned(decode(path, content), header.orientation_for(annotated))


def is_jpeg(content: bytes) -> bool:
    """Whether a file's content, whatever the file is called, is a JPEG."""
    return content.startswith(_JPEG_START)


def decode(path: Path, content: bytes, reduction: int = 1) -> Image:
    """The stored pixels (H, W, 3) of a file's content, RGB; ``path`` names it in errors.

    Each side is divided by ``reduction`` and rounded up; only blocks of JPEG can be reduced evenly.

    Raises:
        InputError: it cannot be decoded to its end.
    """
    if is_jpeg(content) and content.rfind(_JPEG_END, -_TAIL) < 0:
        _check_whole(path, content)
    flags = _FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image: Any = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise _unreadable(path, OSError("its pixels are cut off, damaged, or no colours"))
    image = image if reduction == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return np.asarray(image, dtype=np.uint8)


def _check_whole(path: Path, content: bytes) -> None:
    """Check that a JPEG ends, though not where the file ends: phones append a film to photos."""
    try:
        with Decoder.open(io.BytesIO(content)) as image:
            image.draft("RGB", (1, 1))
            image.load()
    except Exception as error:
        raise _unreadable(path, error) from None


def turned(image: Image, orientation: int) -> Image:
    """Stored pixels (H, W, 3) turned upright."""
    transposed, right_to_left, bottom_up = _turn(orientation)
    upright = image.swapaxes(0, 1) if transposed else image
    upright = upright[:: -1 if bottom_up else 1, :: -1 if right_to_left else 1]
    return np.ascontiguousarray(upright)


def turn_matrix(orientation: int, stored: Size) -> Floats:
    """The map (2, 3) from stored pixels, (height, width) in number, to those of :func:`turned`."""
    transposed, right_to_left, bottom_up = _turn(orientation)
    width, height = stored if transposed else stored[::-1]
    matrix = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]] if transposed else np.eye(2, 3))
    if right_to_left:
        matrix[0] = [0, 0, width - 1] - matrix[0]
    if bottom_up:
        matrix[1] = [0, 0, height - 1] - matrix[1]
    return matrix


def _turn(orientation: int) -> tuple[bool, bool, bool]:
    """Whether axes are exchanged, and then columns and rows reversed."""
    return orientation >= 5, orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError) or "\0" in str(path):
        return InputError(
            f"expected an image at {path}, found none; check the dataset with `poselab data check`"
        )
    if isinstance(error, IsADirectoryError):
        return InputError(f"expected an image at {path}, found a folder; check the path")
    if isinstance(error, Decoder.DecompressionBombError):
        limit = 2 * (Decoder.MAX_IMAGE_PIXELS or 0) // 1_000_000
        return InputError(
            f"expected an image of at most {limit} million pixels at {path}, found one that says "
            "it has more; make it smaller"
        )
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"expected an image at {path}, but {error.strerror}; check the file")
    reason = "it is not one" if isinstance(error, UnidentifiedImageError) else error
    return InputError(
        f"expected an image at {path}, found a file that cannot be decoded to its end ({reason}); "
        "fetch it again, or convert it to JPEG or PNG"
    )
