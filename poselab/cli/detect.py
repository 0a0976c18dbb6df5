"""poselab detect: the people in images, as a detections file."""

from __future__ import annotations

import argparse

from poselab.cli.annotation_words import add_category, add_outside_images
from poselab.cli.arguments import Arguments, output_file, path, whole
from poselab.cli.box_rules import add_box_rules, box_rules
from poselab.experiments.detection import detectors
from poselab.experiments.device import add_device

_DESCRIPTION = """Detect the people in images; write their boxes as a detections file.

framing.boxes=FILE, `poselab predict --boxes FILE` and other projects' code read what it writes.
With --annotations it also prints the person AP of the boxes, and image ids are the annotations'.

  poselab detect photos --detector runs/detector --out boxes.json
  poselab detect coco/val2017 --detector fcos --out boxes.json \\
      --annotations coco/annotations/person_keypoints_val2017.json
  poselab train experiment=coco/heatmap_r50_256x192 framing.boxes=boxes.json   # validates on them

`poselab detect train` trains a small detector, `poselab detect costs` measures what boxes cost.

"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION + detectors.help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("source", type=path, nargs="+", help="images, or folders of them")
    arguments.add_argument(
        "--detector", required=True, help="a detector's name, or a file; see above"
    )
    arguments.add_argument(
        "--out", type=output_file, required=True, help="detections file to write (.json)"
    )
    arguments.add_argument(
        "--annotations", type=path, help="annotations of the images in SOURCE's folder"
    )
    add_category(arguments)
    add_outside_images(arguments)
    add_box_rules(arguments)
    arguments.add_argument("--batch-size", type=whole(1), default=8)
    add_device(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Detect, write, and print the person AP where there are annotations."""
    from poselab.detection.detect import write_detections
    from poselab.evaluation.metrics.person_boxes import person_precisions
    from poselab.experiments.prediction.image_sources import annotated_split, image_split

    source, annotations = arguments.source, arguments.annotations
    split = (
        annotated_split(source, annotations, arguments.category, arguments.outside_images)
        if annotations
        else image_split(source)
    )
    detections = detectors.detect_people(
        arguments.detector, split, arguments.device, arguments.batch_size, box_rules(arguments)
    )
    write_detections(arguments.out, detections)
    print(f"{len(detections.scores)} people in {len(split.annotations)} images")
    if split.annotations.num_instances:
        print(person_ap_line(person_precisions(*detections, split.annotations)))
    print(f"detections: {arguments.out}")
    return 0


def person_ap_line(values: dict[str, float]) -> str:
    """The person AP of boxes in percent, with "–" (NaN) for what the images do not have."""
    cells = (f"{key} {'–' if v != v else f'{100 * v:.1f}'}" for key, v in values.items())
    return "person " + "  ".join(cells)
