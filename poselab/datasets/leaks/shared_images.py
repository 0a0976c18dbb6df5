"""Images that a training and an evaluation set share, whatever their file names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from poselab.datasets.leaks.image_hashes import thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.datasets.leaks.image_hashes import ImageHashes
    from poselab.structures import Floats, Ints

LeakKind = Literal["same file", "near duplicate", "flipped", "same keypoints"]
LEAK_KINDS: tuple[LeakKind, ...] = ("same file", "near duplicate", "flipped", "same keypoints")
"""From the most to the least certain."""

DISTANCE = 14
"""Bits of 64 by which the hashes of copies may differ. Of 203 COCO images this finds, with the
correlation below, all that were encoded again, shrunk to a third, brightened, or cropped by a
fortieth on every side; 92 % of those cropped by a twentieth on every side, and half beyond that."""

CORRELATION = 0.9
"""Least correlation at which two images with near hashes are one image."""

_FEW = 10_000  # images; larger sets are compared by file name when training starts
_FEWEST_KEYPOINTS = 3  # two people seldom share so many by chance
_BLOCK = 64  # evaluation images at a time; with COCO's training images 60 MB of distances
_SIDE, _WINDOW, _ZOOMS = 64, 48, (64, 66, 68, 70, 72)


class Leak(NamedTuple):
    """An image of both sets: train and val are the image rows of their tables.

    distance: bits of 64 by which the hashes differ; correlation: of the grey images, -1 to 1. Both
    are None where the files were not compared.
    """

    train: int
    val: int
    kind: LeakKind
    distance: int | None = None
    correlation: float | None = None


def same_files(train: ImageHashes, val: ImageHashes) -> Iterator[Leak]:
    """Pairs whose files hold the same bytes."""
    rows: dict[tuple[int, ...], list[int]] = {}
    for row, digest in zip(train.row.tolist(), train.digest.tolist(), strict=True):
        rows.setdefault(tuple(digest), []).append(row)
    for row, digest in zip(val.row.tolist(), val.digest.tolist(), strict=True):
        for other in rows.get(tuple(digest), ()):
            yield Leak(other, row, "same file", 0, 1.0)


def near_hashes(train: ImageHashes, val: ImageHashes, distance: int = DISTANCE) -> Iterator[Leak]:
    """Pairs whose perceptual hashes, one of them perhaps flipped, differ in few bits.

    :func:`confirm` compares the images themselves: skies and lawns have near hashes too.
    """
    kinds: tuple[tuple[LeakKind, Any], ...] = (
        ("near duplicate", val.hash),
        ("flipped", val.flipped),
    )
    for start in range(0, len(val.row), _BLOCK):
        rows = slice(start, start + _BLOCK)
        for kind, hashes in kinds:
            apart = np.bitwise_count(hashes[rows, None] ^ train.hash[None])
            for n, m in np.argwhere(apart <= distance).tolist():
                pair = int(train.row[m]), int(val.row[start + n])
                yield Leak(*pair, kind, int(apart[n, m]))


def confirm(
    candidates: Iterable[Leak], train: Sequence[Path], val: Sequence[Path]
) -> Iterator[Leak | None]:
    """The candidates whose images correlate, and None for each candidate that does not."""
    seen: dict[Path, Floats] = {}

    def grey(file: Path) -> Floats:
        if file not in seen:
            seen[file] = thumbnail(file.read_bytes(), _SIDE).astype(np.float32)
        return seen[file]

    for leak in candidates:
        first, second = grey(train[leak.train]), grey(val[leak.val])
        value = correlation(first, second[:, ::-1] if leak.kind == "flipped" else second)
        yield leak._replace(correlation=round(value, 3)) if value >= CORRELATION else None


def correlation(first: Floats, second: Floats) -> float:
    """Greatest correlation of the middle of either grey image (64, 64) with a part of the other.

    The middle is also enlarged by up to an eighth, to match a cropped copy. The correlation of an
    image without contrast is 0.
    """
    import cv2

    images = [np.asarray(image, dtype=np.float32) for image in (first, second)]
    if min(image.std() for image in images) < 1:
        return 0.0
    best = 0.0
    for inner, outer in (images, images[::-1]):
        for side in _ZOOMS:
            corner = (side - _WINDOW) // 2
            zoomed = cv2.resize(inner, (side, side), interpolation=cv2.INTER_LINEAR)
            middle = zoomed[corner : corner + _WINDOW, corner : corner + _WINDOW]
            matches = cv2.matchTemplate(outer, np.ascontiguousarray(middle), cv2.TM_CCOEFF_NORMED)
            best = max(best, float(matches.max()))
    return best


def same_keypoints(train: Annotations, val: Annotations) -> Iterator[Leak]:
    """Pairs of images that share a person with the same labelled keypoints, three or more."""
    if train.skeleton.keypoints != val.skeleton.keypoints:
        return
    images: dict[bytes, set[int]] = {}
    for key, row in _keypoint_keys(train):
        images.setdefault(key, set()).add(row)
    pairs = {(other, row) for key, row in _keypoint_keys(val) for other in images.get(key, ())}
    for other, row in sorted(pairs):
        yield Leak(other, row, "same keypoints")


def _keypoint_keys(table: Annotations) -> Iterator[tuple[bytes, int]]:
    """The keypoints of each person to a tenth of a pixel, as bytes, with the image's row."""
    labelled = table.visibility > 0
    rows = np.flatnonzero(labelled.sum(axis=1) >= _FEWEST_KEYPOINTS)
    tenths = np.rint(table.keypoints[rows] * 10).astype(np.int32) * labelled[rows, :, None]
    keys = np.concatenate([tenths, labelled[rows, :, None]], axis=2).astype(np.int32)
    for key, image in zip(keys, table.image_of()[rows].tolist(), strict=True):
        yield key.tobytes(), image


def strongest(leaks: Iterable[Leak]) -> list[Leak]:
    """One leak per pair of images, of its most certain kind; the most certain leaks first."""
    best: dict[tuple[int, int], Leak] = {}
    for leak in leaks:
        pair = (leak.train, leak.val)
        if pair not in best or _rank(leak) < _rank(best[pair]):
            best[pair] = leak
    return sorted(best.values(), key=lambda leak: (*_rank(leak), leak.val, leak.train))


def _rank(leak: Leak) -> tuple[int, float]:
    return LEAK_KINDS.index(leak.kind), -(leak.correlation or 0.0)


def count_shared_images(train: Sequence[Path], val: Sequence[Path]) -> tuple[int, str]:
    """The number of evaluation images that are also training images, and how they were compared.

    Fast enough for the start of every run: in large sets only files with the same name are
    compared. ``poselab data leaks`` also finds copies that were encoded again.
    """
    few = len(train) + len(val) <= _FEW
    key = _size if few else _name
    sizes: dict[Any, list[Path]] = {}
    for file in train:
        sizes.setdefault(key(file), []).append(file)
    digests: dict[Path, bytes] = {}
    count = sum(
        any(_same_content(file, other, digests) for other in sizes.get(key(file), ()))
        for file in val
    )
    return count, "content of the files" if few else "content of the files that share a name"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _name(file: Path) -> str:
    return file.name


def _same_content(first: Path, second: Path, digests: dict[Path, bytes]) -> bool:
    """Whether two files hold the same bytes; one that cannot be read equals no other."""
    if first == second:
        return True
    for file in (first, second):
        if file not in digests:
            try:
                digests[file] = hashlib.blake2b(file.read_bytes(), digest_size=16).digest()
            except OSError:
                digests[file] = b""
    return bool(digests[first]) and digests[first] == digests[second]


def image_files(table: Annotations, folder: Path, rows: Ints | None = None) -> list[Path]:
    """The image files of a table, or of some of its rows."""
    chosen = range(len(table)) if rows is None else np.asarray(rows).tolist()
    return [table.image_path(folder, row) for row in chosen]
