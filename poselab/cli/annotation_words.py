"""Options of commands that say how annotations of one's own are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_category(words: argparse.ArgumentParser) -> None:
    """Add the option of the category that is used."""
    words.add_argument(
        "--category",
        metavar="NAME",
        help="name or id of the category to use (default: all that share their keypoints)",
    )


def add_outside_images(words: argparse.ArgumentParser) -> None:
    """Add the option that trusts annotations to name files anywhere."""
    words.add_argument(
        "--outside-images",
        action="store_true",
        help="use images that the annotations name absolutely or by .., wherever they lie",
    )
