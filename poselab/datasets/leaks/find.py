"""Find the images that a training and an evaluation set share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.datasets.leaks.image_hashes import ImageHashes, hash_images
from poselab.datasets.leaks.shared_images import (
    DISTANCE,
    Leak,
    confirm,
    image_files,
    near_hashes,
    same_files,
    same_keypoints,
    strongest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from poselab.datasets.leaks.image_sets import ImageSet

    Track = Callable[[Iterator[Any], int, str], Iterable[Any]]


class Leaks(NamedTuple):
    """Pairs of shared images, the most certain first; ``unread``: files of the training and of the
    evaluation set that could not be compared, with reasons (None: only annotations were)."""

    pairs: list[Leak]
    unread: tuple[dict[str, str], dict[str, str]] | None


def _untracked(steps: Iterator[Any], total: int, what: str) -> Iterable[Any]:
    del total, what
    return steps


def find_leaks(
    train: ImageSet, val: ImageSet, distance: int = DISTANCE, track: Track = _untracked
) -> Leaks:
    """Compare annotations and, where both sets have a folder of images, the images.

    ``distance``: bits of 64 by which hashes of copies may differ. ``track`` wraps (steps, their
    number, what is done), as a progress bar does.
    """
    leaks = list(same_keypoints(train.table, val.table))
    if train.folder is None or val.folder is None:
        return Leaks(strongest(leaks), None)
    train_hashes, val_hashes = _hashes(train, train.folder, track), _hashes(val, val.folder, track)
    same = list(same_files(train_hashes, val_hashes))
    known = {(leak.train, leak.val) for leak in same}
    near = [
        leak
        for leak in near_hashes(train_hashes, val_hashes, distance)
        if (leak.train, leak.val) not in known
    ]
    files = image_files(train.table, train.folder), image_files(val.table, val.folder)
    confirmed = track(confirm(near, *files), len(near), "comparing images")
    leaks += [*same, *(leak for leak in confirmed if leak is not None)]
    return Leaks(strongest(leaks), (train_hashes.unread, val_hashes.unread))


def _hashes(images: ImageSet, folder: Path, track: Track) -> ImageHashes:
    names = [images.table.file_name(row) for row in range(len(images.table))]
    threads, outside = os.cpu_count() or 1, images.table.outside_images
    steps = hash_images(folder, names, threads, outside=outside)
    *_, hashes = track(steps, len(names), f"hashing {images.name} images")
    assert isinstance(hashes, ImageHashes)
    return hashes


def leaks_record(leaks: Leaks, train: ImageSet, val: ImageSet) -> dict[str, Any]:
    """All pairs and the two sets as plain values."""
    pairs = [
        leak._asdict()
        | {
            "train": train.table.file_name(leak.train),
            "train_image_id": int(train.table.image_ids[leak.train]),
            "val": val.table.file_name(leak.val),
            "val_image_id": int(val.table.image_ids[leak.val]),
        }
        for leak in leaks.pairs
    ]
    unread = leaks.unread or ({}, {})
    sets = {
        key: {
            "annotations": images.table.source,
            "fingerprint": images.table.fingerprint,
            "images": len(images.table),
            "unread": files,
        }
        for key, images, files in (("train", train, unread[0]), ("val", val, unread[1]))
    }
    compared = "annotations" if leaks.unread is None else "images"
    return {**sets, "compared": compared, "pairs": pairs}
