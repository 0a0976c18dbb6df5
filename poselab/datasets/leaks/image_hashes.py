"""What an image's file and its content look like in a few bytes, so that copies are found.

A print is a digest of the file and two perceptual hashes, of the image and of its horizontal flip.
Prints are kept beside the annotation cache, by folder, and hold while a file keeps its size and
its time of change.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import cache
from poselab.io.files import replacing
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from poselab.structures import Floats

    Words = np.ndarray[Any, np.dtype[np.uint64]]

_SIDE, _LOW = 32, 8
_SAVE_EVERY = 2000  # images, so that an interrupted scan goes on where it was
_RECORD = np.dtype(
    [("size", "i8"), ("changed", "i8"), ("digest", "u8", 2), ("hash", "u8"), ("flipped", "u8")]
)
_VERSION = 1
MISSING = "is missing"


class Prints(NamedTuple):
    """Prints of N images that could be read, in the order asked for.

    row (N,) among the files asked for; digest (N, 2), hash (N,) and flipped (N,) uint64.
    ``faults`` are the files that could not be read, each with the reason.
    """

    row: np.ndarray[Any, np.dtype[np.int64]]
    digest: Words
    hash: Words
    flipped: Words
    faults: dict[str, str]


def prints(
    folder: Path, names: Sequence[str], threads: int = 4, kept: bool = True
) -> Iterator[Prints | None]:
    """Take the prints of the images ``names`` in a folder: None for each one, then all of them.

    Each None is one image done, for a progress bar. ``kept``: use and extend the cache.
    """
    known = _load(folder) if kept else {}
    before, faults, taken = len(known), dict[str, str](), dict[str, Any]()
    try:
        for n, (name, result) in enumerate(_taken(folder, names, known, threads), start=1):
            if isinstance(result, str):
                faults[str(folder / name)] = result
            else:
                known[name] = taken[name] = result
            if kept and n % _SAVE_EVERY == 0 and len(known) > before:
                _save(folder, known)
            yield None
    finally:
        if kept and taken:
            _save(folder, known)
    row = np.array([n for n, name in enumerate(names) if name in taken], dtype=np.int64)
    records = np.array([taken[names[n]] for n in row.tolist()], dtype=_RECORD)
    yield Prints(row, records["digest"], records["hash"], records["flipped"], faults)


def _taken(
    folder: Path, names: Sequence[str], known: dict[str, Any], threads: int
) -> Iterator[tuple[str, Any]]:
    """Each name with its record, or with the reason why there is none."""

    def one(name: str) -> Any:
        try:
            return _print(folder / name, known.get(name))
        except FileNotFoundError:
            return MISSING
        except (OSError, SyntaxError, ValueError) as error:
            unknown = "cannot identify" in str(error)
            return f"cannot be decoded ({'not an image' if unknown else error})"

    with ThreadPoolExecutor(threads) as pool:
        yield from zip(names, pool.map(one, names), strict=True)


def _print(file: Path, before: Any) -> Any:
    """The record of a file, the one of ``before`` where the file has not changed since."""
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
    """The grey image (side, side) of a file's content, decoded only as finely as that needs.

    Raises:
        OSError: it is no image, or cut off.
    """
    import io

    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        image.draft("L", (2 * side, 2 * side))
        small = image.convert("L").resize((side, side), Image.Resampling.BOX)
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


def _place(folder: Path) -> Path:
    name = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:32]
    return cache.folder() / f"{name}-{_VERSION}.prints"


def _load(folder: Path) -> dict[str, Any]:
    """Records by name that were kept for a folder; none where the file is not whole."""
    import orjson

    try:
        head, _, body = _place(folder).read_bytes().partition(b"\n")
        names = orjson.loads(head)
        records = np.frombuffer(body, dtype=_RECORD)
        return dict(zip(names, records.tolist(), strict=True))
    except (OSError, ValueError, TypeError):
        return {}


def _save(folder: Path, known: dict[str, Any]) -> None:
    """Keep records, or say once that they cannot be kept."""
    import orjson

    body = np.array(list(known.values()), dtype=_RECORD).tobytes()
    try:
        with replacing(_place(folder)) as temporary:
            temporary.write_bytes(orjson.dumps(list(known)) + b"\n" + body)
    except InputError as error:
        cache.warn_once(error)
