"""poselab detect train: a small detector of people, in minutes."""

from __future__ import annotations

import argparse

from poselab.cli.arguments import Arguments, output_folder, path, seed, whole
from poselab.experiments.device import add_device
from poselab.io.folders import only_writer

_DESCRIPTION = """Train a small detector of people (CenterNet-like, 0.5 M parameters) from scratch.

DATA is a folder in COCO's layout, such as `poselab data synth` makes; without it the generated
people of conf/data/generated.yaml are used, and generated first if they are missing. Writes
OUT/detector.ckpt, which `--detector OUT` reads, and OUT/metrics.json with its person AP."""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "data", type=path, nargs="?", help="folder of a dataset in COCO's layout"
    )
    arguments.add_argument("--out", type=output_folder, required=True, help="folder to write to")
    arguments.add_argument("--epochs", type=whole(1), default=8)
    arguments.add_argument("--batch-size", type=whole(1), default=16)
    arguments.add_argument(
        "--size", type=whole(32, 2048), default=128, help="side of the input in pixels (128)"
    )
    arguments.add_argument("--seed", type=seed, default=0)
    add_device(arguments)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Train, write, and print the person AP."""
    from poselab.cli.detect import person_ap_line
    from poselab.experiments.detection.training import DetectorRecipe, train_detector

    recipe = DetectorRecipe(
        arguments.epochs, arguments.batch_size, arguments.size, arguments.seed, arguments.device
    )
    with only_writer(arguments.out):
        trained = train_detector(arguments.data, arguments.out, recipe)
    print(
        f"{person_ap_line(trained.person_ap)}  on {trained.images} images, trained in "
        f"{trained.seconds:.0f} s"
    )
    print(f"detector: {arguments.out}")
    return 0
