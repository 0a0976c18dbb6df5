"""What certainty costs: intervals and paired differences beside one plain evaluation.

    python scripts/benchmarks/comparison.py person_keypoints_val2017.json[.gz]

On 100,000 detections, in one process: (1) an evaluation by PoseLab against hotcoco alone, from what
each holds in memory (poses as arrays; results as JSON is parsed) to the ten values, and once more
with the files read too, where hotcoco's parser in Rust has nothing to hand to Python; (2) 1,000
paired bootstrap replicates of two methods, all ten values by COCO's exact accumulation, against
one evaluation by pycocotools; (3) the most memory that all of it took. Exit status 1 where a limit
is exceeded.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gzip
import io
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import hotcoco
import numpy as np
import orjson
from evaluate_oks import detections

from poselab.annotations import open_annotations
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.statistics.bootstrap import resample

if TYPE_CHECKING:
    from collections.abc import Callable

REPLICATES = 1000
EVALUATION, BOOTSTRAP, MEGABYTES = 1.3, 1.0, 1000


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("annotations", type=Path)
    words.add_argument("--repeats", type=int, default=5)
    arguments = words.parse_args()
    content = arguments.annotations.read_bytes()
    ground_truth = orjson.loads(
        gzip.decompress(content) if arguments.annotations.suffix == ".gz" else content
    )
    with tempfile.TemporaryDirectory() as folder:
        gt, dt = Path(folder) / "ground_truth.json", Path(folder) / "predictions.json"
        gt.write_bytes(orjson.dumps(ground_truth))
        dt.write_bytes(orjson.dumps(detections(ground_truth)))
        del ground_truth, content
        return measure(gt, dt, arguments.repeats)


def measure(gt: Path, dt: Path, repeats: int) -> int:
    annotations, first = open_annotations(gt), read_predictions(dt)
    noise = np.random.default_rng(0).normal(0, 2, first.keypoints.shape)
    second = dataclasses.replace(first, keypoints=first.keypoints + noise)
    evaluator = OksEvaluator()
    ground_truth, results = hotcoco.COCO(str(gt)), orjson.loads(dt.read_bytes())
    work = {
        "ours": lambda: evaluator(first, annotations),
        "alone": lambda: hotcoco_alone(ground_truth, results),
        "ours from files": lambda: evaluator(read_predictions(dt), open_annotations(gt)),
        "alone from files": lambda: hotcoco_alone(hotcoco.COCO(str(gt)), str(dt)),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):  # by turns, so that a slow moment of the machine meets all
        for name, one in work.items():
            taken[name].append(seconds(one))
    least = {name: min(times) for name, times in taken.items()}
    started = time.perf_counter()
    accumulators = [[evaluator.accumulate(poses, annotations)] for poses in (first, second)]
    matched = time.perf_counter()
    resample(accumulators, REPLICATES)
    resampled = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    reference = seconds(lambda: pycocotools_alone(gt, dt))
    rows = [
        ("evaluation / hotcoco alone", least["ours"], least["alone"], EVALUATION),
        ("the same from files", least["ours from files"], least["alone from files"], None),
        ("1,000 paired replicates / pycocotools", resampled - matched, reference, BOOTSTRAP),
        ("the same with matching / pycocotools", resampled - started, reference, None),
    ]
    return report(rows, peak)


def hotcoco_alone(ground_truth: hotcoco.COCO, results: Any) -> None:
    evaluation = hotcoco.COCOeval(ground_truth, ground_truth.loadRes(results), "keypoints")
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()


def pycocotools_alone(gt: Path, dt: Path) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(gt))
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(str(dt)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(rows: list[tuple[str, float, float, float | None]], peak: float) -> int:
    failed = peak > MEGABYTES
    for name, ours, theirs, limit in rows:
        ratio = ours / theirs
        failed |= limit is not None and ratio > limit
        text = "no limit" if limit is None else f"limit {limit}"
        print(f"{name:<40}{ours:7.2f} s / {theirs:6.2f} s = {ratio:5.2f}   ({text})")
    print(f"{'most memory of the comparison':<40}{peak:7.0f} MB{'':>20}(limit {MEGABYTES})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
