"""poselab predict: poses of images, by a trained run."""

from __future__ import annotations

import argparse
import sys

from poselab.cli.arguments import Arguments, number, output_folder, path, whole
from poselab.experiments.device import add_device
from poselab.io.folders import only_writer

_DESCRIPTION = """Predict the poses in images with a trained run.

Writes OUT/predictions.json (COCO results format), OUT/predictions.comparability.json (how they were
made, which evaluate and compare read), OUT/images.json (which image id is which file) and
OUT/images/ (the images with poses drawn: left limbs warm, right limbs cold), which is skipped when
INPUTS contain it.

A top-down run sees one person at a time: give --detector with a detector's name or file
(`poselab detect --help` lists them; boxes go to OUT/boxes.json), or --boxes with a detections file
(COCO results format: image_id, bbox, score). Without either, each image is taken to show one person
who fills it.

A run or checkpoint of anybody is only data. One that was trained with classes of your own needs the
word trust=MODULE, which names where they are defined; every command that loads runs takes it.

In Python: poselab.load(RUN).predict(INPUT).write(OUT)"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "run", type=path, help="a run's folder, a checkpoint, or a pretrained model's file"
    )
    arguments.add_argument("inputs", type=path, nargs="+", help="images, or folders of them")
    arguments.add_argument("--out", type=output_folder, required=True, help="folder to write to")
    arguments.add_argument("--model", help="the name of the pretrained model in the file")
    boxes = arguments.add_mutually_exclusive_group()
    boxes.add_argument("--boxes", type=path, help="detections file with people's boxes")
    boxes.add_argument("--detector", help="the detector of people: its name or file")
    for name, what in (("--threshold", "keypoints"), ("--pose-threshold", "poses")):
        sentence = f"draw {what} that score above this (0.2)"
        arguments.add_argument(name, type=number(), default=0.2, help=sentence)
    arguments.add_argument("--batch-size", type=whole(1), default=16)
    add_device(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Predict, write, and print how many poses there are."""
    from poselab.experiments.prediction.image_poses import check_drawings_apart
    from poselab.experiments.prediction.image_sources import image_split
    from poselab.experiments.prediction.predictor import load

    check_drawings_apart(image_split(arguments.inputs), arguments.out)
    with only_writer(arguments.out):
        predictor = load(arguments.run, arguments.model, arguments.device)
        poses = predictor.predict(
            arguments.inputs, arguments.boxes, arguments.detector, arguments.batch_size
        )
        poses.write(arguments.out, arguments.threshold, arguments.pose_threshold)
    if predictor.top_down and not (arguments.boxes or arguments.detector):
        print("no --boxes, no --detector: each image is taken to show one person", file=sys.stderr)
    sentence = f"{len(poses.predictions)} poses in {len(poses)} images"
    drawn = int((poses.predictions.scores > arguments.pose_threshold).sum())
    if drawn < len(poses.predictions):
        sentence += f", {drawn} of them drawn (score above {arguments.pose_threshold:g})"
    print(f"{sentence}: {arguments.out}")
    return 0
