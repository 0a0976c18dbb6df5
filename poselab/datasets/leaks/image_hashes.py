"""Hashes of image files and of their content, to find copies.

An image has a digest of its file and two perceptual hashes, of itself and of its horizontal flip.
Hashes are cached beside the annotation cache, one file per folder, and used again while an image
keeps its size and modification time.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import cache
from poselab.io.files import replacing
from poselab.io.image_names import image_path
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from poselab.structures import Floats

    Words = np.ndarray[Any, np.dtype[np.uint64]]

_SIDE, _LOW = 32, 8
_SAVE_EVERY = 2000  # images, so that an interrupted scan resumes
_RECORD = np.dtype(
    [("size", "i8"), ("changed", "i8"), ("digest", "u8", 2), ("hash", "u8"), ("flipped", "u8")]
)
_VERSION = 2
MISSING = "is missing"


class ImageHashes(NamedTuple):
    """Hashes of the N images that could be read, in the order of their names.

    row (N,) among the names given; digest (N, 2), hash (N,) and flipped (N,) uint64. ``unread``
    holds the files that could not be read, each with the reason.
    """

    row: np.ndarray[Any, np.dtype[np.int64]]
    digest: Words
    hash: Words
    flipped: Words
    unread: dict[str, str]


def hash_images(
    folder: Path,
    names: Sequence[str],
    threads: int = 4,
    cached: bool = True,
    outside: bool = False,
) -> Iterator[ImageHashes | None]:
    """Hash the images ``names`` of a folder: yields None for each one, then all hashes.

    The Nones drive a progress bar. ``cached``: use and extend the cache; ``outside``: names may
    leave the folder.

    Raises:
        InputError: one does, and may not.
    """
    files = {name: image_path(folder, name, outside) for name in names}
    known = _load(folder) if cached else {}
    before, unread, hashed = len(known), dict[str, str](), dict[str, Any]()
    try:
        for n, (name, result) in enumerate(_hash_all(files, known, threads), start=1):
            if isinstance(result, str):
                unread[str(files[name])] = result
            else:
                known[name] = hashed[name] = result
            if cached and n % _SAVE_EVERY == 0 and len(known) > before:
                _save(folder, known)
            yield None
    finally:
        if cached and hashed:
            _save(folder, known)
    row = np.array([n for n, name in enumerate(names) if name in hashed], dtype=np.int64)
    records = np.array([hashed[names[n]] for n in row.tolist()], dtype=_RECORD)
    yield ImageHashes(row, records["digest"], records["hash"], records["flipped"], unread)


def _hash_all(
    files: dict[str, Path], known: dict[str, Any], threads: int
) -> Iterator[tuple[str, Any]]:
    """Each name with its record, or with the reason why there is none."""

    def one(name: str) -> Any:
        try:
            return _hash_file(files[name], known.get(name))
        except FileNotFoundError:
            return MISSING
        except (OSError, ValueError) as error:
            not_an_image = "cannot identify" in str(error)
            return f"cannot be decoded ({'not an image' if not_an_image else error})"

    with ThreadPoolExecutor(threads) as pool:
        yield from zip(files, pool.map(one, files), strict=True)


def _hash_file(file: Path, before: Any) -> Any:
    """The record of a file: ``before``, where the file has not changed since."""
    state = file.stat()
    stamp = (state.st_size, state.st_mtime_ns)
    if before is not None and stamp == (before[0], before[1]):
        return before
    content = file.read_bytes()
    digest = hashlib.blake2b(content, digest_size=16).digest()
    first, second = (int.from_bytes(digest[n : n + 8], "little") for n in (0, 8))
    straight, flipped = perceptual_hashes(thumbnail(content))
    return (*stamp, (first, second), straight, flipped)


def thumbnail(content: bytes, side: int = _SIDE) -> Floats:
    """The upright grey image (side, side) of a file, decoded only as finely as that needs.

    Raises:
        OSError: it is no image, cut off, or too large to decode.
    """
    import io

    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", (2 * side, 2 * side))
            deep = image.mode.startswith("I")  # 16 bits, which conversion to grey would cut off
            grey = (image.point(lambda value: value / 256) if deep else image).convert("L")
            small = grey.resize((side, side), Image.Resampling.BOX)
            small = ImageOps.exif_transpose(small)
    except OSError:
        raise
    except Exception as error:  # decoders raise errors of many kinds for damaged files
        raise OSError(str(error)) from error
    return np.asarray(small, dtype=np.float64)


def perceptual_hashes(grey: Floats) -> tuple[int, int]:
    """64 bits of a grey image (32, 32), and those of its horizontal flip.

    A bit says whether one of the 8 × 8 lowest frequencies of the cosine transform is above their
    median: the pHash of Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash
    Functions, section 3.2.1, without the constant term.
    """
    waves = _cosines()
    low = waves @ grey @ waves.T
    alternating = np.where(np.arange(_LOW) % 2, -1.0, 1.0)
    return _bits(low), _bits(low * alternating)


def _bits(low: Floats) -> int:
    above = (low > np.median(low.ravel()[1:])).ravel()
    above[0] = False  # the mean brightness
    return int.from_bytes(np.packbits(above).tobytes(), "little")


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """The lowest rows (8, 32) of the orthonormal cosine transform."""
    n, k = np.arange(_SIDE), np.arange(_LOW)[:, None]
    waves = np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    waves[0] /= np.sqrt(2)
    return np.asarray(waves)


def _cache_file(folder: Path) -> Path:
    name = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:32]
    return cache.folder() / f"{name}-{_VERSION}.hashes"


def _load(folder: Path) -> dict[str, Any]:
    """The cached records of a folder by name; none where the cache file is not whole."""
    import orjson

    try:
        head, _, body = _cache_file(folder).read_bytes().partition(b"\n")
        names = orjson.loads(head)
        records = np.frombuffer(body, dtype=_RECORD)
        return dict(zip(names, records.tolist(), strict=True))
    except (OSError, ValueError, TypeError):
        return {}


def _save(folder: Path, known: dict[str, Any]) -> None:
    """Write records to the cache, or warn once that it cannot be written."""
    import orjson

    body = np.array(list(known.values()), dtype=_RECORD).tobytes()
    try:
        with replacing(_cache_file(folder)) as temporary:
            temporary.write_bytes(orjson.dumps(list(known)) + b"\n" + body)
    except InputError as error:
        cache.warn_once(error)
