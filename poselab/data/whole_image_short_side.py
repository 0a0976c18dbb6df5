"""Whole images scaled by their short side, as in object detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poselab.data.framing import WholeImage
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.structures import Floats


@dataclass(frozen=True)
class WholeImageShortSide(WholeImage):
    """The whole image in the middle of the input, its short side ``short`` pixels long, or shorter
    where its long side would exceed ``long``.

    Raises:
        InputError: ``long`` is more than the sides of the input.
    Source: torchvision's and Detectron's detectors, by default 800 and 1333.
    """

    short: float = 800.0
    long: float = 1333.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.short <= self.long <= min(self.size):
            raise InputError(
                f"expected framing.short up to framing.long up to the input's sides, got "
                f"{self.short:g}, {self.long:g} and {tuple(self.size)}; choose a larger size"
            )

    def area(self, box: Floats, padded: bool = True) -> Floats:
        """The area (…, 4) of images with box (…, 4) that fills the input."""
        sides = np.maximum(box[..., 2:], 1.0)
        scale = np.minimum(self.short / sides.min(axis=-1), self.long / sides.max(axis=-1))
        visible = np.array([self.size[1], self.size[0]]) / scale[..., None]
        return np.concatenate([box[..., :2] + (sides - visible) / 2, visible], axis=-1)
