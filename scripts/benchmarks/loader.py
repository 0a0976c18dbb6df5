"""Loader: samples a second on one core, against reading and decoding the same JPEGs alone.

    python scripts/benchmarks/loader.py [COCO_ROOT]

A sample is a 256×192 uint8 crop with its labels, augmented, collated into batches of 32; the peer
reads and decodes each sample's whole JPEG with OpenCV and does nothing else. COCO_ROOT holds
`annotations/person_keypoints_train2017.json` and `train2017/`; without it, generated pictures of
480×640 are used. Prints the ratio of the best of several alternating rounds; the limit is 0.8.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import default_collate

from poselab.data import Augment, PersonCrop, PoseDataset, Split
from poselab.data.layouts import coco
from poselab.synthetic import generate

LIMIT, SAMPLES, BATCH, ROUNDS = 0.8, 256, 32, 7


def main() -> int:
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        split = open_split(sys.argv[1:], Path(folder))
        samples = PoseDataset(split, PersonCrop((256, 192)), Augment(half_body=0.3))
        count = min(SAMPLES, len(samples))
        files = [split.pictures / split.annotations.file_name(p) for p in samples.items.picture]
        ours, decoding = [], []
        for epoch in range(ROUNDS):
            ours.append(timed(lambda e=epoch: load(samples, e, count)))
            decoding.append(timed(lambda: decode(files[:count])))
    rate, limit = count / min(ours), count / min(decoding)
    print(f"loader    {rate:7.0f} samples/s (crop, labels, augmentation, collated)")
    print(f"decoding  {limit:7.0f} pictures/s (the same JPEGs, whole)")
    print(f"ratio     {rate / limit:7.2f} (limit {LIMIT}, {count} samples, best of {ROUNDS})")
    return int(rate / limit < LIMIT)


def open_split(arguments: list[str], folder: Path) -> Split:
    if arguments:
        return coco(arguments[0]).train.open()
    root = generate(folder / "people", images=64, val=1, size=(480, 640), workers=1)
    return coco(str(root)).train.open()


def load(samples: PoseDataset, epoch: int, count: int) -> None:
    for start in range(0, count, BATCH):
        default_collate([samples[(epoch, i)] for i in range(start, min(start + BATCH, count))])


def decode(files: list[Path]) -> None:
    for file in files:
        cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


def timed(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
