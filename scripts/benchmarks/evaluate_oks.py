"""`poselab evaluate` on 100,000 detections beside pycocotools, hotcoco and vernier, as processes.

    python scripts/benchmarks/evaluate_oks.py person_keypoints_val2017.json[.gz] [--vernier PYTHON]

Detections are labelled people moved at random: several a person, some far off, and false ones.
PoseLab makes all its checks, without and with its cache of the annotations; the others make none.
vernier replaces pycocotools' COCOeval by its patch; it is measured where PYTHON is an interpreter
that has vernier and pycocotools, for example one made by

    uv venv /tmp/vernier && uv pip install --python /tmp/vernier vernier==0.5.4 pycocotools

All run by turns, on one core and on two, so that a slow moment of the machine meets each of them.
Printed are medians of seconds and of CPU seconds (which a busy machine changes less), and medians
over rounds of PoseLab's, annotations cached, divided by the other's. Exit status 1 where values
differ, or PoseLab takes more than 1.2 times hotcoco's seconds. All run from compiled bytecode, as
installed programs do.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

DETECTIONS = 100_000
MOST = 1.2
OURS, COLD, HOTCOCO = "poselab, annotations cached", "poselab, first time", "hotcoco"
KEYS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
POSELAB = "import sys; from poselab.cli import main; sys.exit(main())"
COCO = """
import json, sys
{imports}
ground_truth = COCO(sys.argv[2])
evaluation = COCOeval(ground_truth, ground_truth.loadRes(sys.argv[1]), "keypoints")
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
json.dump([float(value) for value in evaluation.stats], open(sys.argv[3], "w"))
"""
HOTCOCO_IMPORTS = "from hotcoco import COCO, COCOeval"
PYCOCOTOOLS_IMPORTS = "from pycocotools.coco import COCO; from pycocotools.cocoeval import COCOeval"
VERNIER_IMPORTS = "import vernier; vernier.patch_pycocotools(); " + PYCOCOTOOLS_IMPORTS


class Taken(NamedTuple):
    """What one process took, in seconds."""

    wall: float
    cpu: float


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("annotations", type=Path)
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--vernier", metavar="PYTHON", help="interpreter of an environment with it")
    arguments = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> int:
    content = arguments.annotations.read_bytes()
    zipped = arguments.annotations.suffix == ".gz"
    files = [folder / "predictions.json", folder / "ground_truth.json"]
    files[1].write_bytes(gzip.decompress(content) if zipped else content)
    files[0].write_bytes(orjson.dumps(detections(orjson.loads(files[1].read_bytes()))))
    commands = programs(folder, *files, arguments.vernier)
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment |= {"POSELAB_CACHE": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    every = sorted(os.sched_getaffinity(0))
    for command in commands.values():  # compiles bytecode
        clock(command, environment, every)
    fast = True
    for cores in {1: every[:1], min(2, len(every)): every[:2]}.values():
        taken: dict[str, list[Taken]] = {name: [] for name in commands}
        for _ in range(arguments.repeats):
            for name, command in commands.items():
                if name == COLD:
                    shutil.rmtree(folder / "cache", ignore_errors=True)
                taken[name].append(clock(command, environment, cores))
        fast &= report(taken, len(cores)) <= MOST
    ours = json.loads((folder / "poselab.json").read_text())
    values = [json.loads(file.read_text()) for file in folder.glob("*.values")]
    same = all(theirs == [ours[key] for key in KEYS] for theirs in values)
    print(f"same ten values to the last digit: {'yes' if same else 'NO'}")
    return 0 if same and fast else 1


def programs(
    folder: Path, predictions: Path, ground_truth: Path, vernier: str | None
) -> dict[str, list[str]]:
    """The commands by name; those of others write their values to NAME.values."""
    ours = [sys.executable, "-c", POSELAB, "evaluate", str(predictions)]
    ours += ["--annotations", str(ground_truth), "--json", str(folder / "poselab.json")]
    peers = {
        HOTCOCO: (sys.executable, HOTCOCO_IMPORTS),
        "pycocotools": (sys.executable, PYCOCOTOOLS_IMPORTS),
    }
    if vernier:
        peers["vernier's patch"] = (vernier, VERNIER_IMPORTS)
    files = [str(predictions), str(ground_truth)]
    return {COLD: ours, OURS: ours} | {
        name: [python, "-c", COCO.format(imports=imports), *files, str(folder / f"{name}.values")]
        for name, (python, imports) in peers.items()
    }


def report(taken: dict[str, list[Taken]], cores: int) -> float:
    """Print the medians; PoseLab's seconds divided by hotcoco's."""
    print(f"{DETECTIONS} detections, {cores} cores    seconds     CPU    PoseLab's / its: s, CPU")
    slower = {}
    for name, times in taken.items():
        rounds = list(zip(taken[OURS], times, strict=True))
        slower[name] = statistics.median(ours.wall / its.wall for ours, its in rounds)
        by_cpu = statistics.median(ours.cpu / its.cpu for ours, its in rounds)
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"  {name:<30}{wall:8.2f}{cpu:8.2f}{slower[name]:18.2f}{by_cpu:8.2f}")
    return slower[HOTCOCO]


def detections(ground_truth: dict[str, Any]) -> list[dict[str, Any]]:
    """100,000 results: nine in ten are labelled people jittered, the rest in a random image."""
    rng = np.random.default_rng(0)
    instances = [a for a in ground_truth["annotations"] if a["num_keypoints"]]
    points = np.array([a["keypoints"] for a in instances], dtype=float).reshape(
        len(instances), -1, 3
    )
    boxes = np.array([a["bbox"] for a in instances], dtype=float)
    images = np.array([a["image_id"] for a in instances])
    rows = rng.integers(len(instances), size=DETECTIONS)
    labelled = points[rows, :, 2:] > 0
    middle = (boxes[rows, :2] + boxes[rows, 2:] / 2)[:, None]
    size = np.sqrt(boxes[rows, 2:].prod(axis=1))
    noise = rng.normal(size=(*labelled.shape[:2], 2))
    spread = size * rng.gamma(1.0, 0.05, size=DETECTIONS)
    poses = np.where(labelled, points[rows, :, :2], middle) + noise * spread[:, None, None]
    wrong = rng.random(DETECTIONS) < 0.1
    image_ids = np.where(wrong, rng.choice(images, DETECTIONS), images[rows])
    sure = np.exp(-8 * spread / size) * rng.uniform(0.6, 1.0, DETECTIONS)
    scores = np.where(wrong, 0.5 * rng.random(DETECTIONS), sure)
    each = np.round(np.concatenate([poses, rng.random(labelled.shape)], axis=2), 3)
    columns = zip(
        image_ids.tolist(), each.reshape(DETECTIONS, -1).tolist(), scores.tolist(), strict=True
    )
    return [
        {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score}
        for image_id, keypoints, score in columns
    ]


def clock(command: list[str], environment: dict[str, str], cores: list[int]) -> Taken:
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"expected {command[:3]} to end with status 0, got {status}")
    return Taken(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
