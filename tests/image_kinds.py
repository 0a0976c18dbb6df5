"""Small images of every kind that cameras and tools write, as the bytes of their files."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from PIL import Image as Encoder

UPRIGHT = np.arange(60 * 84 * 3, dtype=np.uint32).reshape(60, 84, 3)
UPRIGHT = (UPRIGHT // 97 % 251).astype(np.uint8)
"""Rows and columns that all differ, so that a wrong turn shows."""
ORIENTATION = 0x0112

# How a viewer turns stored pixels upright, and so, the other way round, how a camera stores them.
STORED_AS = {
    2: Encoder.Transpose.FLIP_LEFT_RIGHT,
    3: Encoder.Transpose.ROTATE_180,
    4: Encoder.Transpose.FLIP_TOP_BOTTOM,
    5: Encoder.Transpose.TRANSPOSE,
    6: Encoder.Transpose.ROTATE_90,
    7: Encoder.Transpose.TRANSVERSE,
    8: Encoder.Transpose.ROTATE_270,
}


def encoded(image: Any = UPRIGHT, kind: str = "PNG", **options: Any) -> bytes:
    """An image file."""
    file = io.BytesIO()
    as_image = Encoder.fromarray(image) if isinstance(image, np.ndarray) else image
    as_image.save(file, format=kind, **options)
    return file.getvalue()


def photo(orientation: int, image: Any = UPRIGHT, kind: str = "PNG", **options: Any) -> bytes:
    """The file of a camera that was held another way, and says so."""
    exif = Encoder.Exif()
    exif[ORIENTATION] = orientation
    stored = Encoder.fromarray(image)
    if orientation != 1:
        stored = stored.transpose(STORED_AS[orientation])
    return encoded(stored, kind, exif=exif, **options)


def motion_photo(still: bytes) -> bytes:
    """A photo with a film behind it."""
    return still + b"\0\0\0\x18ftypmp42" + np.random.default_rng(0).bytes(20_000)


def pixel_bomb(side: int = 20_000) -> bytes:
    """A PNG of some hundred bytes that says it has so many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def deep(image: Any) -> bytes:
    """A PNG of 16 bits a channel."""
    return bytes(cv2.imencode(".png", image[..., ::-1].astype(np.uint16) * 257)[1])


def animation(kind: str, **options: Any) -> bytes:
    """A file of three frames, of which the first is upright."""
    frames = [Encoder.fromarray(np.roll(UPRIGHT, 9 * n, axis=1)) for n in range(3)]
    more = {"save_all": True, "append_images": frames[1:], "duration": 100}
    return encoded(frames[0], kind, **more, **options)
