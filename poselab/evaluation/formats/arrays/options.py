"""What the user says about an array of poses; the rest is suggested by the ground truth."""

from __future__ import annotations

from typing import NamedTuple

from poselab.io.json_text import shortened
from poselab.structures import InputError

SAME, NEAREST, ORDER = "same", "nearest", "order"


class ArrayOptions(NamedTuple):
    """How to read an array of poses; None: what its shape, its names and the fit suggest.

    key: the array's name in its file. axes: the order of its axes, such as "N,K,2" (people, joints,
    coordinates), or "N,K2" for one row a person of x, y, x, y, ...; with 3 for coordinates and a
    score. origin: the coordinate of an image's first pixel, 0 or 1. joints: the names of its
    joints with commas ("-" for those that the ground truth lacks), "same" for those of the ground
    truth, or "nearest" for the nearest joint each. ids: the name of an array in the file, or a file
    of an id or image name for each row, with "annotation:" or "image:" before it where ids could be
    either; or "order" for rows in the order of the ground truth, whatever the fit.
    """

    key: str | None = None
    axes: str | None = None
    origin: int | None = None
    joints: str | None = None
    ids: str | None = None

    def or_else(self, other: ArrayOptions) -> ArrayOptions:
        """These options, and those of ``other`` where they say nothing."""
        open_ones = {n for n, value in self._asdict().items() if value is None}
        return self._replace(**{n: v for n, v in other._asdict().items() if n in open_ones})


AS_SUGGESTED = ArrayOptions()


def check_array_options(options: ArrayOptions) -> None:
    """Check the options that do not depend on a file.

    Raises:
        InputError: an unknown origin or order of axes.
    """
    if options.origin not in (None, 0, 1):
        raise InputError(f"expected --origin 0 or 1, got {shortened(options.origin)}")
    if options.axes is not None:
        parse_axes(options.axes)


def parse_axes(text: str) -> tuple[str, ...]:
    """The axes of "N,K,2": one string each, of one letter, or of two that are flattened into one.

    Raises:
        InputError: they are not N, K and one of 2 and 3, once each, in two or three axes.
    """
    given = text.upper().replace(" ", ",")
    axes = tuple(given.split(",")) if "," in given else tuple(given)
    letters = "".join(axes)
    known = sorted(letters) in (["2", "K", "N"], ["3", "K", "N"])
    if not known or len(axes) not in (2, 3) or (len(axes) == 2 and "N" not in axes):
        raise InputError(
            "expected --axes as N (people), K (joints) and 2 or 3 (coordinates) in the order of "
            f"the array, such as N,K,2 or N,K2, got {shortened(text)}"
        )
    return axes
