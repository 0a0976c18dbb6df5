"""The options of `detect` and `detect costs` that change which boxes are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poselab.cli.arguments import number, whole

if TYPE_CHECKING:
    import argparse


def add_box_rules(arguments: argparse.ArgumentParser) -> None:
    """Add the options to those of a command."""
    arguments.add_argument("--threshold", type=number(0, 1), help="minimum score of a box (0.05)")
    arguments.add_argument(
        "--nms", type=number(0, 1), help="IoU above which the worse box is dropped (0.65)"
    )
    arguments.add_argument(
        "--max-boxes", type=whole(1), help="maximum number of boxes per image (100)"
    )


def box_rules(arguments: argparse.Namespace) -> dict[str, float]:
    """The rules that the user has set."""
    given = {key: getattr(arguments, key) for key in ("threshold", "nms", "max_boxes")}
    return {key: value for key, value in given.items() if value is not None}
