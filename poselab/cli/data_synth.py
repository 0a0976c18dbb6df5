"""poselab data synth: make images of people with exact annotations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from poselab.cli.arguments import Arguments, output_folder, whole
from poselab.structures import InputError

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = Arguments(
        description="Generate images of people with exact annotations, in the official COCO or "
        "MPII layout. The same seed always gives the same bytes; an interrupted call resumes."
    )
    add = arguments.add_argument
    add("out", metavar="OUT", type=output_folder, help="folder of the dataset")
    add("--images", type=int, default=1000, help="training images (default 1000)")
    add(
        "--val", default="0.2", help="validation images: a number, or a share such as 0.2 (default)"
    )
    add("--seed", type=int, default=0, help="seed of the images (default 0)")
    add("--format", default="coco", choices=("coco", "mpii"), help="layout")
    add("--size", default="256x256", help="HEIGHTxWIDTH (default 256x256)")
    add("--instances-per-image", default="1-4", help="MIN-MAX people (default 1-4)")
    add(
        "--turn",
        type=float,
        default=180.0,
        help="degrees by which people may turn from the camera (default 180)",
    )
    add("--workers", type=whole(1), help="processes (default: one per core)")
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Generate, and print the folder."""
    from poselab.synthetic import Settings, generate

    span = "--instances-per-image MIN-MAX"
    settings = Settings(
        arguments.images,
        val=_val(arguments.val, arguments.images),
        seed=arguments.seed,
        layout=arguments.format,
        size=_pair(arguments.size, "x", "--size HEIGHTxWIDTH"),
        instances_per_image=_pair(arguments.instances_per_image, "-", span),
        turn=arguments.turn,
    )
    out = generate(arguments.out, settings, arguments.workers)
    print(f"data: {out}")
    return 0


def _pair(text: str, separator: str, what: str) -> tuple[int, int]:
    """Two whole numbers; one stands for both."""
    match = re.fullmatch(rf"(\d+)(?:{separator}(\d+))?", text.strip())
    if not match:
        raise InputError(f"expected {what} in whole numbers, got {text!r}; correct the value")
    return int(match[1]), int(match[2] or match[1])


def _val(text: str, images: int) -> int:
    """A number of images, also where it is given as a share of the training images."""
    if text.isdigit():
        return int(text)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise InputError(f"expected --val as a number or a share up to 1, got {text!r}; correct it")
    return round(share * images)
