"""A picture together with the identity of the body part that every pixel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from poselab.synthetic.figure import PART, PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Size
    from poselab.synthetic.wardrobe import Colour

# Identities: 0 where no person is on top, else 1 + part + STRIDE·person, and PARTS more where
# cloth covers the part.
STRIDE = 2 * len(PARTS)
_SHIFT = 4


def identity(person: int, part: str, *, cloth: bool = False) -> int:
    """What the identity map holds where that person's part is on top."""
    return 1 + person * STRIDE + PART[part] + (len(PARTS) if cloth else 0)


class Canvas:
    """A picture (H, W, 3) uint8 BGR, drawn in place, and its identity map (H, W) int16."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.ids = np.zeros(image.shape[:2], np.int16)

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    def fill(self, outline: Floats, colour: Colour, ident: int | None = None) -> None:
        """Fill a convex outline (N, 2) in pixels; with an identity, claim its pixels too."""
        fixed = fixed_point(outline)
        if ident is not None:
            cv2.fillConvexPoly(self.ids, fixed, ident, cv2.LINE_8, _SHIFT)
        cv2.fillConvexPoly(self.image, fixed, colour, cv2.LINE_AA, _SHIFT)

    def solid(self, layers: NDArray[np.int32], tones: tuple[Colour, ...], ident: int) -> None:
        """Fill nested fixed-point outlines (3, N, 2) from the rim inwards, one tone each."""
        cv2.fillConvexPoly(self.ids, layers[0], ident, cv2.LINE_8, _SHIFT)
        cv2.fillConvexPoly(self.image, layers[0], tones[0], cv2.LINE_AA, _SHIFT)
        for outline, tone in zip(layers[1:], tones[1:], strict=True):
            cv2.fillConvexPoly(self.image, outline, tone, cv2.LINE_8, _SHIFT)


def fixed_point(points: Floats) -> NDArray[np.int32]:
    """Pixels in the fixed point that OpenCV draws with."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)
