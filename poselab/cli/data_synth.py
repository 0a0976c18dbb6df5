"""poselab data synth: make images of people with exact labels."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from poselab.structures import InputError


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    words = argparse.ArgumentParser(
        description="Generate images of people with exact labels, in the official COCO or MPII "
        "layout. The same seed always gives the same bytes; an interrupted call goes on."
    )
    words.add_argument("out", metavar="OUT", type=Path, help="folder of the dataset")
    words.add_argument("--images", type=int, default=1000, help="training images (default 1000)")
    words.add_argument(
        "--val", help="validation images: a number, or a share such as 0.2 (default)"
    )
    words.add_argument("--seed", type=int, default=0, help="which images (default 0)")
    words.add_argument("--format", default="coco", choices=("coco", "mpii"), help="layout")
    words.add_argument("--size", default="256x256", help="HEIGHTxWIDTH (default 256x256)")
    words.add_argument("--instances", default="1-4", help="fewest-most an image (default 1-4)")
    words.add_argument(
        "--turn", type=float, default=180.0, help="degrees people may turn away (default 180)"
    )
    words.add_argument("--workers", type=int, help="processes (default: one a core)")
    return words


def run(arguments: argparse.Namespace) -> int:
    """Generate, and say where."""
    from poselab.synthetic import Settings, generate

    settings = Settings(
        arguments.images,
        val=_val(arguments.val or "0.2", arguments.images),
        seed=arguments.seed,
        layout=arguments.format,
        size=_pair(arguments.size, "x", "--size HEIGHTxWIDTH"),
        instances=_pair(arguments.instances, "-", "--instances FEWEST-MOST"),
        turn=arguments.turn,
    )
    out = generate(arguments.out, settings, arguments.workers)
    print(f"data: {out}")
    return 0


def _pair(text: str, between: str, what: str) -> tuple[int, int]:
    """Two whole numbers; one stands for both."""
    found = re.fullmatch(rf"(\d+)(?:{between}(\d+))?", text.strip())
    if not found:
        raise InputError(f"expected {what} in whole numbers, got {text!r}; correct the value")
    return int(found[1]), int(found[2] or found[1])


def _val(text: str, images: int) -> int:
    """A number of images, or a share of the training ones."""
    if text.isdigit():
        return int(text)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise InputError(f"expected --val as a number or a share up to 1, got {text!r}; correct it")
    return round(share * images)
