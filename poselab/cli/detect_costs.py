"""poselab detect costs: what a top-down run loses to its boxes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from poselab.cli.annotation_words import add_outside_images
from poselab.cli.arguments import Arguments, output_folder, path, whole
from poselab.cli.box_rules import add_box_rules, box_rules
from poselab.evaluation.statistics import MOST_REPLICATES
from poselab.experiments.detection import detectors
from poselab.experiments.device import add_device, usable_device
from poselab.io.folders import only_writer

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations.formats.detections import Detections
    from poselab.datasets.base import Split

_DESCRIPTION = """Measure what a trained top-down run loses to its boxes.

The run predicts its validation images again, in ground-truth boxes and in those of every detector.
An instance that no box detects (IoU of 0.5 or more, one box per instance) is lost before any pose
is estimated. What these undetected instances cost is the AP gained by adding their ground-truth
boxes, with the median score of the boxes that detect an instance; what is then still missing to the
AP on ground-truth boxes is due to position and size of the boxes, to duplicates and false
positives.

  poselab detect costs RUN --boxes jittered,iou=0.7 runs/detector boxes.json

Writes OUT/index.html (the report: costs, confidence intervals and the images behind them),
OUT/table.md, OUT/detection_costs.json, OUT/detection_costs.png, and for every source of boxes
OUT/NAME.json (poses in the COCO results format) and, except for ground truth, OUT/NAME.boxes.json
(a detections file).

"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION + detectors.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("run", type=path, help="a top-down run's folder, or a checkpoint file")
    arguments.add_argument("--boxes", nargs="+", default=["jittered"], metavar="DETECTOR")
    arguments.add_argument("--out", type=output_folder, help="folder to write to (RUN/boxes)")
    add_box_rules(arguments)
    arguments.add_argument(
        "--replicates",
        type=whole(1, MOST_REPLICATES),
        default=1000,
        help="bootstrap replicates (1000)",
    )
    arguments.add_argument("--batch-size", type=whole(1), default=16)
    add_device(arguments)
    add_outside_images(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Predict in every source of boxes, score, print the table, write the report."""
    folder = arguments.run if arguments.run.is_dir() else arguments.run.parent
    out = arguments.out or folder / "boxes"
    with only_writer(out):
        print(f"report: {_write_costs(arguments, out, folder.name)}")
    return 0


def _write_costs(arguments: argparse.Namespace, out: Path, name: str) -> Path:
    """Predict, score, write all that the help lists; the page's path."""
    from poselab.evaluation.diagnosis.detection_costs import detection_costs
    from poselab.evaluation.metrics.oks import OksEvaluator
    from poselab.experiments.detection.costs import (
        GROUND_TRUTH,
        box_source,
        load_top_down_run,
        write_detection_costs,
    )
    from poselab.report.detection_costs import detection_costs_section
    from poselab.report.page import write_page

    device = usable_device(arguments.device)
    top_down = load_top_down_run(
        arguments.run, arguments.batch_size, device, arguments.outside_images
    )
    names = list(dict.fromkeys([GROUND_TRUTH, *arguments.boxes]))
    # All boxes first: a detector that cannot be used fails before the long part.
    boxes = {name: _detect(name, top_down.split, arguments) for name in names}
    sources = [box_source(name, boxes[name], top_down, out) for name in names]
    evaluator, annotations = OksEvaluator(), top_down.split.annotations
    comparison, costs = detection_costs(sources, annotations, evaluator, arguments.replicates)
    write_detection_costs(costs, out)
    print(f"tables: {out}")
    print("drawing the report ...", file=sys.stderr)
    return write_page(
        comparison,
        out / "index.html",
        top_down.split.images,
        title=f"What detected boxes cost {name}",
        sections=detection_costs_section(costs, annotations, evaluator),
    )


def _detect(name: str, split: Split, arguments: argparse.Namespace) -> Detections:
    from poselab.experiments.detection.costs import GROUND_TRUTH

    rules = {} if name == GROUND_TRUTH else box_rules(arguments)
    return detectors.detect_people(name, split, arguments.device, 8, rules)
