"""The settings of a generated dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Size

LAYOUTS = ("coco", "mpii")
SPLITS = ("train", "val")
RENDERER = 3  # raise it when the same seed no longer makes the same images and labels
FIRST_VAL_ID = 100_000_001


@dataclass(frozen=True)
class Settings:
    """All that determines a dataset's bytes: ``images`` training and ``val`` validation images of
    ``size`` (height, width), each with ``instances_per_image`` (fewest, most) people, who turn away
    from the camera by up to ``turn`` degrees.

    Raises:
        InputError: a value is out of its range.
    """

    images: int
    val: int = 0
    seed: int = 0
    layout: str = "coco"
    size: Size = (256, 256)
    instances_per_image: tuple[int, int] = (1, 4)
    turn: float = 180.0
    renderer: int = RENDERER

    def __post_init__(self) -> None:
        most = f"1 or more images, below {FIRST_VAL_ID}"
        _check(1 <= self.images < FIRST_VAL_ID, most, self.images)
        _check(self.val >= 0, "0 or more validation images", self.val)
        _check(0 <= self.seed < 2**63, "a seed of 0 or more, below 2^63", self.seed)
        _check(self.layout in LAYOUTS, f"a layout out of {', '.join(LAYOUTS)}", self.layout)
        sides = all(64 <= side <= 2048 for side in self.size)
        _check(sides, "a height and a width of 64 to 2048 pixels", self.size)
        low, high = self.instances_per_image
        _check(
            0 <= low <= high <= 30,
            "0 to 30 people per image, the minimum first",
            self.instances_per_image,
        )
        _check(0 <= self.turn <= 180, "a turn of 0 to 180 degrees", self.turn)

    def count(self, split: str) -> int:
        """The number of images of a split."""
        return self.images if split == "train" else self.val


def _check(holds: bool, what: str, found: object) -> None:
    if not holds:
        raise InputError(f"expected {what}, got {found}; correct the value")
