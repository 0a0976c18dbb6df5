"""Hashes of images are cached until a file changes, and are the bits that they claim to be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from coco_labels import images

from poselab.datasets.leaks import image_hashes
from poselab.datasets.leaks.image_hashes import (
    ImageHashes,
    hash_images,
    perceptual_hashes,
    thumbnail,
)


def hashed(folder: Path, names: list[str]) -> ImageHashes:
    *steps, result = hash_images(folder, names)
    assert steps == [None] * len(names)
    assert isinstance(result, ImageHashes)
    return result


def test_hashes_are_cached_until_a_file_changes(root: Path, monkeypatch: Any) -> None:
    folder = root / "train2017"
    names = [file.name for file in images(root, "train")]
    first = hashed(folder, names)
    decoded = []
    monkeypatch.setattr(
        image_hashes, "thumbnail", lambda content: decoded.append(1) or thumbnail(content)
    )
    second = hashed(folder, names)
    assert not decoded
    for before, after in zip(first[:4], second[:4], strict=True):
        assert np.array_equal(before, after)
    shutil.copy(folder / names[3], folder / names[4])
    third = hashed(folder, names)
    assert len(decoded) == 1
    assert third.hash[4] == third.hash[3] != first.hash[4]


def test_an_interrupted_scan_resumes(root: Path, monkeypatch: Any) -> None:
    folder = root / "train2017"
    names = [file.name for file in images(root, "train")]
    steps = hash_images(folder, names, threads=1)
    for _ in range(7):
        next(steps)
    steps.close()  # as Ctrl-C does
    decoded = []
    monkeypatch.setattr(
        image_hashes, "thumbnail", lambda content: decoded.append(1) or thumbnail(content)
    )
    assert len(hashed(folder, names).row) == 12
    assert len(decoded) == 12 - 7


def test_a_broken_cache_is_made_again(root: Path, cache_folder: Path) -> None:
    folder, names = root / "val2017", [file.name for file in images(root, "val")]
    first = hashed(folder, names)
    (file,) = cache_folder.glob("*.hashes")
    file.write_bytes(file.read_bytes()[:-5])
    assert np.array_equal(hashed(folder, names).hash, first.hash)


def test_hashes_are_signs_of_the_cosine_transform() -> None:
    from scipy.fft import dctn

    grey = np.random.default_rng(0).uniform(0, 255, (32, 32)).cumsum(axis=1)
    low = dctn(grey, norm="ortho")[:8, :8].ravel()
    expected = low > np.median(low[1:])
    expected[0] = False
    straight, flip = perceptual_hashes(grey)
    bits = np.unpackbits(np.frombuffer(straight.to_bytes(8, "little"), np.uint8))
    assert np.array_equal(bits.astype(bool), expected)
    assert perceptual_hashes(grey[:, ::-1]) == (flip, straight)
