"""The report of four methods on a whole validation set: its size, and how long it takes to open.

    python scripts/benchmarks/page.py person_keypoints_val2017.json[.gz] [--out page.html]

Every method has 100,000 detections, those of evaluate_oks.py with random noise. Headless Chromium
times opening, from navigation to the finished layout, the minimum of --repeats; without Chromium it
is skipped. Exit status 1 above 15 MB or 3 seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
from evaluate_oks import detections

from poselab.annotations import open_annotations
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions import read_predictions
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.report.page import write_page

MEGABYTES, SECONDS = 15.0, 3.0
NOISE = (0.0, 1.0, 2.0, 4.0)
CLOCK = (
    "<script>addEventListener('load', () => { document.body.offsetHeight; "
    "document.documentElement.textContent = 'OPENED ' + performance.now(); })</script></body>"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder) / "page.html"
        comparison = compared(arguments.annotations, Path(folder))
        start = time.perf_counter()
        write_page(comparison, out)
        print(f"written in  {time.perf_counter() - start:6.1f} s")
        size = out.stat().st_size / 1e6
        print(f"size        {size:6.1f} MB (at most {MEGABYTES:.0f})")
        opened = min((opening(out, Path(folder)) for _ in range(arguments.repeats)), default=0.0)
        print(f"opens in    {opened:6.2f} s (at most {SECONDS:.0f})")
        return 0 if size <= MEGABYTES and opened <= SECONDS else 1


def compared(annotations: Path, folder: Path) -> Comparison:
    content = annotations.read_bytes()
    ground_truth, results = folder / "ground_truth.json", folder / "results.json"
    ground_truth.write_bytes(gzip.decompress(content) if annotations.suffix == ".gz" else content)
    results.write_bytes(orjson.dumps(detections(orjson.loads(ground_truth.read_bytes()))))
    table, poses = open_annotations(ground_truth), read_predictions(results)
    rng = np.random.default_rng(0)
    runs = {}
    for sigma in NOISE:
        points = poses.keypoints + sigma * rng.normal(size=poses.keypoints.shape)
        noisy = dataclasses.replace(poses, keypoints=points)
        runs[f"noise of {sigma:g} pixels"] = [PredictionsFile(results, noisy, {})]
    return compare_methods(runs, table, OksEvaluator(), replicates=50)


def opening(page: Path, folder: Path) -> float:
    """Seconds to open the page; 0 without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no chromium: opening is not timed")
        return 0.0
    copy = folder / "timed.html"
    copy.write_text(page.read_text().replace("</body>", CLOCK))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", copy.as_uri()]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return float(re.search(r"OPENED ([\d.]+)", output)[1]) / 1000


if __name__ == "__main__":
    sys.exit(main())
