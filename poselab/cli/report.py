"""poselab report: the metrics and the page of a run that has trained, made again."""

from __future__ import annotations

import sys

_HELP = """usage: poselab report RUN [key=value ...]

Score the validation predictions of a run that has trained, and write RUN/metrics.json,
RUN/curves.png, RUN/predictions/images.jpg and, with replicates, RUN/index.html again; nothing is
trained. For runs that were interrupted in their report, whose data moved, or that were trained
without a report.

  poselab report runs/quickstart/heatmap/2026-01-31_12-00-00
  poselab report runs/quickstart/heatmap/2026-01-31_12-00-00 report.replicates=2000
  poselab report runs/coco/hrnet data.sources.root=/data/coco

Keys: report.replicates (bootstrap replicates; 0: neither intervals nor a page), data.sources.*,
data.outside_images (true where annotations that you trust name images absolutely or by `..`),
data.workers and trainer.accelerator.

In Python: poselab.write_report(RUN, {"report.replicates": 2000})
"""


def main(words: list[str]) -> int:
    """Report the run, and print its metrics."""
    if not words or {"-h", "--help"} & set(words):
        print(_HELP, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    from poselab.experiments import api

    folder, *changes = words
    print(api.write_report(folder, changes))
    return 0
