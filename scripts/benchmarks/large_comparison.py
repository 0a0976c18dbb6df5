"""Comparisons of large files and of many methods: time, memory and the size of the page.

    python scripts/benchmarks/large_comparison.py person_keypoints_train2017.json[.gz]

`poselab compare`, from its start to the page, (1) of two files of 500,000 detections and (2) of 50
methods on the first 300 images. The first may take no longer than one evaluation of one of its
files by pycocotools, timed in the same run, which has no interval, no diagnosis and no page. Exit
status 1 where that, the limits of seconds (on two free cores), of memory or of the page's size are
exceeded.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from comparison import pycocotools_alone, seconds

POSES, METHODS, IMAGES = 500_000, 50, 300
SECONDS_LARGE, SECONDS_MANY, RATIO = 60.0, 30.0, 1.0
MEGABYTES, PAGE_MEGABYTES = 1000, 10.0

LAUNCH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(status, usage.ru_maxrss)
"""


class Taken(NamedTuple):
    """What one command took."""

    seconds: float
    megabytes: float
    page_megabytes: float


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("annotations", type=Path)
    words.add_argument("--poses", type=int, default=POSES)
    arguments = words.parse_args()
    content = arguments.annotations.read_bytes()
    zipped = arguments.annotations.suffix == ".gz"
    ground_truth = orjson.loads(gzip.decompress(content) if zipped else content)
    with tempfile.TemporaryDirectory() as folder:
        large = written(Path(folder) / "large", ground_truth, [3.0, 5.0], arguments.poses)
        few = first_images(ground_truth, IMAGES)
        del ground_truth, content
        noises = np.linspace(1, 10, METHODS).tolist()
        many = written(Path(folder) / "many", few, noises, len(few["annotations"]))
        reference = seconds(lambda: pycocotools_alone(large[0], large[1]))
        return report(compare(*large), compare(*many), reference)


def first_images(ground_truth: dict[str, Any], number: int) -> dict[str, Any]:
    images = ground_truth["images"][:number]
    ids = {image["id"] for image in images}
    people = [a for a in ground_truth["annotations"] if a["image_id"] in ids]
    return ground_truth | {"images": images, "annotations": people}


def written(
    folder: Path, ground_truth: dict[str, Any], noises: list[float], poses: int
) -> list[Path]:
    """The ground truth, and a results file of so many poses for each noise in pixels."""
    folder.mkdir()
    files = [folder / "ground_truth.json"]
    files[0].write_bytes(orjson.dumps(ground_truth))
    people = [a for a in ground_truth["annotations"] if a["num_keypoints"] > 0]
    points = np.array([a["keypoints"] for a in people], float).reshape(len(people), -1, 3)
    for number, noise in enumerate(noises):
        rng = np.random.default_rng(number)
        rows = np.append(np.arange(len(people)), rng.integers(len(people), size=poses))[:poses]
        keypoints = points[rows]
        worse = np.where(np.arange(poses) < len(people), 1, rng.choice([1, 4, 30], poses))
        keypoints[..., :2] += noise * worse[:, None, None] * rng.normal(size=(poses, 1, 2))
        keypoints[..., :2] += noise * rng.normal(size=keypoints[..., :2].shape)
        scores = rng.beta(4, 2, poses) / np.sqrt(worse)
        files.append(folder / f"method{number}.json")
        files[-1].write_bytes(
            orjson.dumps(
                [
                    {"image_id": people[row]["image_id"], "category_id": 1}
                    | {"keypoints": flat, "score": score}
                    for row, flat, score in zip(
                        rows.tolist(),
                        np.round(keypoints, 2).reshape(poses, -1).tolist(),
                        np.round(scores, 4).tolist(),
                        strict=True,
                    )
                ]
            )
        )
    return files


def compare(ground_truth: Path, *results: Path) -> Taken:
    """Run the command in a process of its own."""
    out = ground_truth.parent / "compared"
    names = [f"{path.stem}={path}" for path in results]
    command = [sys.executable, "-m", "poselab", "compare", *names]
    command += ["--annotations", str(ground_truth), "--out", str(out)]
    started = time.perf_counter()
    # A child counts the memory of the process that it was forked from, so a small one forks it.
    launched = subprocess.run([sys.executable, "-c", LAUNCH, *command], stdout=subprocess.PIPE)
    taken = time.perf_counter() - started
    status, kilobytes = map(int, launched.stdout.split())
    if status:
        raise SystemExit(f"expected poselab compare to end with status 0, got {status}")
    page = (out / "index.html").stat().st_size
    return Taken(taken, kilobytes * 1024 / 1e6, page / 1e6)


def report(large: Taken, many: Taken, reference: float) -> int:
    limits = [
        ("two large files, s", large.seconds, SECONDS_LARGE),
        ("the same / pycocotools, one file", large.seconds / reference, RATIO),
        ("most memory, MB", large.megabytes, MEGABYTES),
        ("page, MB", large.page_megabytes, PAGE_MEGABYTES),
        (f"{METHODS} methods, s", many.seconds, SECONDS_MANY),
        ("most memory, MB", many.megabytes, MEGABYTES),
        ("page, MB", many.page_megabytes, PAGE_MEGABYTES),
    ]
    for name, value, limit in limits:
        print(f"{name:<36}{value:9.2f}   (limit {limit:g})")
    return int(any(value > limit for _, value, limit in limits))


if __name__ == "__main__":
    sys.exit(main())
