"""Loader: samples a second on one core, against reading and decoding the same JPEGs alone.

    python scripts/benchmarks/loader.py [COCO_ROOT] [--pairs 70]

A sample is a 256×192 uint8 crop with its labels, augmented, collated into batches of 32; the peer
reads and decodes each sample's whole JPEG with OpenCV and does nothing else. COCO_ROOT holds
`annotations/person_keypoints_train2017.json` and `train2017/`; without it, generated images of
480×640 are used, which are smoother than photographs: decoding takes half of the time, everything
else as long, and the limit does not hold. One batch and its peer make a pair, a fraction of a
second long, and take turns to go first, so that whatever else the machine does slows both. Prints
the median of the pairs' ratios and their quartiles; the limit is 0.8.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from poselab.data import Augment, PersonCrop, PoseDataset
from poselab.data.datamodule import EpochSampler
from poselab.datasets import coco
from poselab.synthetic import Settings, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from poselab.data.dataset import Key
    from poselab.datasets.base import Split

LIMIT, IMAGES, BATCH = 0.8, 256, 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", help="COCO in its official layout; default: generated")
    parser.add_argument("--pairs", type=int, default=70, help="batches to measure")
    arguments = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        split = open_split(arguments.root, Path(folder)).limited(IMAGES)
        samples = PoseDataset(split, PersonCrop((256, 192)), Augment(half_body=0.3))
        seconds = np.array(list(measured(samples, arguments.pairs)))
    ours, decoding = BATCH / np.median(seconds, axis=0)
    low, ratio, high = np.quantile(seconds[:, 1] / seconds[:, 0], (0.25, 0.5, 0.75))
    print(f"loader    {ours:7.0f} samples/s (crop, labels, augmentation, collated)")
    print(f"decoding  {decoding:7.0f} images/s (the same JPEGs, whole)")
    print(f"ratio     {ratio:7.3f} (quartiles {low:.3f} to {high:.3f}, {len(seconds)} pairs)")
    print(f"limit     {LIMIT:7.3f}" if arguments.root else "limit      none for generated images")
    return int(arguments.root is not None and ratio < LIMIT)


def open_split(root: str | None, folder: Path) -> Split:
    made = root or generate(folder / "instances", Settings(64, val=1, size=(480, 640)), workers=1)
    return coco.files(made).train.open()


def measured(samples: PoseDataset, pairs: int) -> Iterator[tuple[float, float]]:
    """Seconds of so many pairs (loader, decoding), after an epoch that is not timed."""
    sampler = EpochSampler(len(samples), shuffle=True, seed=0, rank=0, world=1)
    loader = DataLoader(samples, batch_size=BATCH, sampler=sampler, drop_last=True)
    if not len(loader):
        raise SystemExit(f"expected at least {BATCH} people, found {len(samples)}")
    list(loader)
    for pair in range(pairs):
        epoch, number = divmod(pair, len(loader))
        if number == 0:
            sampler.set_epoch(epoch)
            batches = iter(loader)
            files = [file_of(samples, key) for key in sampler]
        batch_files = files[number * BATCH : (number + 1) * BATCH]
        yield turns(lambda b=batches: next(b), lambda f=batch_files: decode(f), pair % 2 == 0)  # type: ignore[misc]


def file_of(samples: PoseDataset, key: Key) -> Path:
    split, index = samples.split, key[1] if isinstance(key, tuple) else key
    return split.images / split.annotations.file_name(int(samples.items.image[index]))


def decode(files: list[Path]) -> None:
    for file in files:
        cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


def turns(
    ours: Callable[[], Any], peer: Callable[[], Any], ours_first: bool
) -> tuple[float, float]:
    """Seconds that either takes, in that order, whichever goes first."""
    first, second = (ours, peer) if ours_first else (peer, ours)
    start = time.perf_counter()
    first()
    middle = time.perf_counter()
    second()
    one, other = middle - start, time.perf_counter() - middle
    return (one, other) if ours_first else (other, one)


if __name__ == "__main__":
    sys.exit(main())
