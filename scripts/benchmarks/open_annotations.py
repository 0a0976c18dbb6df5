"""How fast annotations open, and what they cost a loader worker.

usage: python scripts/benchmarks/open_annotations.py [FILE]

FILE is a large COCO keypoints file (.json or .json.gz); without it,
$POSELAB_DATA/coco-scale/person_keypoints_train2017.derived.json.gz. Prints, measured in this run:
  first open / orjson.loads of the same bytes   limit 1.5 (fastest of three each)
  cached open, seconds                          limit 0.3 (in a new process)
  private memory a worker gains, MB             limit 50  (a spawned process reads every person)
Exit status 1 when a limit is missed, 2 when there is no file.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

import orjson

from poselab.annotations import open_annotations

DEFAULT = "coco-scale/person_keypoints_train2017.derived.json.gz"
ROUNDS = 3
SETTLE = 2.5


def main(words: list[str]) -> int:
    """Measure and print; the exit status."""
    if words[:1] in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    given = Path(words[0]) if words else Path(os.environ.get("POSELAB_DATA", ".")) / DEFAULT
    if not given.is_file():
        print(f"expected annotations at {given}; give a FILE or set POSELAB_DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        content = given.read_bytes()
        path.write_bytes(gzip.decompress(content) if given.suffix == ".gz" else content)
        del content
        ratio = first_open_ratio(path, Path(folder))
        os.environ["POSELAB_CACHE"] = str(Path(folder) / "kept")
        open_annotations(path)
        time.sleep(SETTLE)  # a file just written is not trusted to be unchanged
        open_annotations(path)
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(1) as pool:
            seconds = pool.apply(cached_seconds, (path,))
        table = open_annotations(path)
        with spawn.Pool(1) as pool:
            gained, resident = pool.apply(worker_memory, (table,))
        print(
            f"{len(table)} images, {table.num_instances} instances, "
            f"pickle {len(pickle.dumps(table))} B"
        )
    results = (
        ("first open / orjson.loads", ratio, 1.5),
        ("cached open, s", seconds, 0.3),
        ("private memory a worker gains, MB", gained, 50.0),
    )
    for name, value, limit in results:
        print(f"{name:<36}{value:8.3f}   limit {limit:g}{'' if value <= limit else '   MISSED'}")
    print(f"{'  of shared, mapped pages, MB':<36}{resident:8.3f}")
    return int(any(value > limit for _, value, limit in results))


def first_open_ratio(path: Path, folder: Path) -> float:
    """Fastest first open, cache written, over the fastest parse of the bytes already in memory."""
    parsing, opening = [], []
    for number in range(ROUNDS):
        content = path.read_bytes()
        start = time.perf_counter()
        parsed = orjson.loads(content)
        parsing.append(time.perf_counter() - start)
        del parsed, content
        os.environ["POSELAB_CACHE"] = str(folder / str(number))
        start = time.perf_counter()
        open_annotations(path)
        opening.append(time.perf_counter() - start)
    print(f"orjson.loads {min(parsing):.2f} s, first open {min(opening):.2f} s")
    return min(opening) / min(parsing)


def cached_seconds(path: Path) -> float:
    """Seconds to open a known file in this process."""
    start = time.perf_counter()
    open_annotations(path)
    return time.perf_counter() - start


def worker_memory(table: object) -> tuple[float, float]:
    """Growth (MB) of private and of shared memory while every person is read as a loader does."""
    before = _memory()
    for image in range(len(table)):  # type: ignore[arg-type]
        for row in table.rows(image):  # type: ignore[attr-defined]
            # views cost nothing until read
            table.keypoints[row].sum(), table.visibility[row].sum()  # type: ignore[attr-defined]
    after = _memory()
    return after[0] - before[0], after[1] - before[1]


def _memory() -> tuple[float, float]:
    """Anonymous and file-backed resident memory (MB) of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    anonymous, mapped = (int(fields[key].split()[0]) / 1024 for key in ("RssAnon", "RssFile"))
    return anonymous, mapped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
