"""poselab detect: the people in images, as a detections file."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from poselab.experiments import detectors
from poselab.experiments.device import add_device

if TYPE_CHECKING:
    from poselab.annotations.formats.detections import Detections
    from poselab.data import Split

_DESCRIPTION = """Find people in images; write their boxes as a detections file in COCO's layout.

What it writes is what framing.boxes=FILE, `poselab predict --boxes FILE` and other codes read.
With --annotations it also prints the person AP of the boxes, and image ids are those of the labels.

  poselab detect photos --detector runs/detector --out boxes.json
  poselab detect coco/val2017 --detector fcos --out boxes.json \\
      --annotations coco/annotations/person_keypoints_val2017.json
  poselab train experiment=coco/heatmap_r50_256x192 framing.boxes=boxes.json   # validates on them

`poselab detect train` makes a small detector, `poselab detect decompose` says what boxes cost.

"""


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description=_DESCRIPTION + detectors.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("source", type=Path, nargs="+", help="images, or folders of them")
    words.add_argument("--detector", required=True, help="a detector's name, or a file; see above")
    words.add_argument("--out", type=Path, required=True, help="detections file to write (.json)")
    words.add_argument("--annotations", type=Path, help="labels of the images in SOURCE's folder")
    detectors.add_rules(words)
    words.add_argument("--batch-size", type=int, default=8)
    add_device(words)
    return words


def run(arguments: argparse.Namespace) -> int:
    """Find, write, and say how good the boxes are where that can be known."""
    from poselab.detection.finding import write_detections

    split = split_of(arguments.source, arguments.annotations)
    found = detectors.find(
        arguments.detector,
        split,
        arguments.device,
        arguments.batch_size,
        detectors.rules_of(arguments),
    )
    write_detections(arguments.out, found)
    print(f"{len(found.scores)} people in {len(split.annotations)} images")
    if split.annotations.instances:
        print(figures(found, split))
    print(f"detections: {arguments.out}")
    return 0


def figures(found: Detections, split: Split) -> str:
    """The person AP of boxes, in percent and words."""
    from poselab.evaluation.metrics.person_boxes import person_precisions

    values = person_precisions(*found, split.annotations)
    shown = ("–" if math.isnan(v) else f"{100 * v:.1f}" for v in values.values())
    return "person " + "  ".join(f"{k} {v}" for k, v in zip(values, shown, strict=True))


def split_of(source: list[Path], annotations: Path | None) -> Split:
    """The images that are meant, with their labels where there are some.

    Raises:
        InputError: nothing there, a file that is no image, or labels of other images.
    """
    from poselab.cli.predict import common_folder
    from poselab.data.unlabelled import find_images, unlabelled
    from poselab.datasets.sources import Source
    from poselab.skeletons import COCO17
    from poselab.structures import InputError

    if annotations is None:
        images = [path.resolve() for path in find_images(source)]
        return unlabelled(images, common_folder(images), COCO17)
    if len(source) != 1:
        raise InputError(
            f"expected one folder of images with --annotations, got {len(source)} sources; give "
            "the folder that the labels' file names start from"
        )
    return Source(annotations, source[0], present_only=True).open()
