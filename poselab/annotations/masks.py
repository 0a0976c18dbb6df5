"""Regions of crowds and of people without keypoints: small records, rasterised when needed.

A record is one letter and its content: ``P`` polygons, int32 counts and corners in hundredths of a
pixel (the precision of COCO's files); ``R`` compressed COCO run-lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Size


_POLYGONS = "expected `segmentation` as polygons or run-lengths"


def record(segmentation: Any, box: tuple[float, float, float, float], size: Size) -> bytes:
    """The record of a COCO ``segmentation``, or of the box where there is none.

    Raises:
        InputError: it is neither polygons nor run-lengths.
    """
    if isinstance(segmentation, dict):
        return b"R" + _compressed(segmentation, size)
    if not isinstance(segmentation or [], list):
        raise InputError(_POLYGONS)
    polygons = [p for p in segmentation or () if isinstance(p, list) and len(p) >= 6]
    if not polygons:
        x, y, w, h = box
        polygons = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    try:
        corners = np.array([v for p in polygons for v in p], np.float64)
    except (TypeError, ValueError):
        raise InputError(_POLYGONS) from None
    side = 2 * max(size)  # a polygon takes as long to draw as its outline is
    if not (np.abs(corners) <= max(side, 1000)).all():
        raise InputError(f"expected `segmentation` within twice the image of {max(size)} pixels")
    counts = [len(polygons), *map(len, polygons)]
    return b"P" + np.array(counts, "<i4").tobytes() + np.rint(corners * 100).astype("<i4").tobytes()


def _compressed(segmentation: dict[str, Any], size: Size) -> bytes:
    counts = segmentation.get("counts")
    if not isinstance(counts, list | str):
        raise InputError("expected `segmentation` with `counts`")
    lengths = counts if isinstance(counts, list) else _lengths(counts)
    whole = all(type(n) is int and n >= 0 for n in lengths)
    if not whole or sum(lengths) > size[0] * size[1]:
        raise InputError(
            f"expected `counts` of `segmentation` as run-lengths of at most the "
            f"{size[0] * size[1]:,} pixels of the image"
        )
    if isinstance(counts, str):
        return counts.encode()
    from pycocotools import mask

    return bytes(mask.frPyObjects({"counts": counts, "size": list(size)}, *size)["counts"])


def _lengths(counts: str) -> list[int]:
    """The run-lengths of COCO's compressed text: 5 bits a letter, differences from the third on."""
    lengths: list[int] = []
    value = shift = 0
    for letter in counts:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise InputError("expected `counts` of `segmentation` as COCO's compressed text")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    return lengths


def run_lengths(content: bytes, size: Size) -> bytes:
    """The compressed run-lengths of a record in an image of ``size``."""
    if content[:1] == b"R":
        return content[1:]
    from pycocotools import mask

    numbers = np.frombuffer(content, "<i4", offset=1)
    ends = 1 + numbers[0] + np.cumsum(numbers[1 : 1 + numbers[0]])
    parts = np.split(numbers / 100, ends[:-1])
    parts[0] = parts[0][1 + numbers[0] :]
    encoded = mask.frPyObjects([part.tolist() for part in parts], *size)
    return bytes(encoded[0]["counts"] if len(encoded) == 1 else mask.merge(encoded)["counts"])
