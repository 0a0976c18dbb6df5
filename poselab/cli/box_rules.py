"""The words of `detect` and `detect costs` that change which boxes are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_box_rules(arguments: argparse.ArgumentParser) -> None:
    """Add the words to a command's."""
    arguments.add_argument("--threshold", type=float, help="least score of a box (0.05)")
    arguments.add_argument("--nms", type=float, help="IoU at which the worse box falls (0.65)")
    arguments.add_argument("--max-boxes", type=int, help="most boxes of an image (100)")


def box_rules(arguments: argparse.Namespace) -> dict[str, float]:
    """The rules that were given."""
    given = {key: getattr(arguments, key) for key in ("threshold", "nms", "max_boxes")}
    return {key: value for key, value in given.items() if value is not None}
