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


def record(segmentation: Any, box: tuple[float, float, float, float], size: Size) -> bytes:
    """The record of a COCO ``segmentation``, or of the box where there is none.

    Raises:
        InputError: it is neither polygons nor run-lengths.
    """
    if isinstance(segmentation, dict):
        return b"R" + _compressed(segmentation, size)
    polygons = [p for p in segmentation or () if len(p) >= 6]
    if not polygons:
        x, y, w, h = box
        polygons = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    try:
        corners = np.array([v for p in polygons for v in p], np.float64)
    except (TypeError, ValueError):
        raise InputError("expected `segmentation` as polygons or run-lengths") from None
    counts = [len(polygons), *map(len, polygons)]
    return b"P" + np.array(counts, "<i4").tobytes() + np.rint(corners * 100).astype("<i4").tobytes()


def _compressed(segmentation: dict[str, Any], size: Size) -> bytes:
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        return counts.encode()
    if not isinstance(counts, list):
        raise InputError("expected `segmentation` with `counts`")
    from pycocotools import mask

    plain = {"counts": counts, "size": segmentation.get("size", list(size))}
    return bytes(mask.frPyObjects(plain, *size)["counts"])


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
