"""An image and, for each pixel, the person and body part that the pixel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from poselab.synthetic.projection import BODY_PARTS, PART_INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Size
    from poselab.synthetic.appearance import Colour

# Identities: 0 where no person is on top, else 1 + part + STRIDE·person, where cloth on a part is a
# part of its own.
STRIDE = 2 * len(BODY_PARTS)
_SHIFT = 4


BARE = PART_INDEX
CLOTH = {name: row + len(BODY_PARTS) for name, row in PART_INDEX.items()}
NO_PERSON = -1


class Canvas:
    """An image (H, W, 3) uint8 BGR, drawn in place, and its identity map (H, W) int16.

    ``person`` is the number of the person that is being drawn.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.ids = np.zeros(image.shape[:2], np.int16)
        self.person = 0

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def owner(self) -> NDArray[np.int16]:
        """The person on top of each pixel (H, W), -1 for none."""
        instances = int(self.ids.max() + STRIDE - 1) // STRIDE
        return self.look_up(np.repeat(np.arange(-1, instances), [1] + [STRIDE] * instances))

    def look_up(self, table: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """The values (H, W) of a table (identities,) at each pixel's identity."""
        table = table.astype(np.int16)
        if len(table) > 256:  # cv2.LUT, which is faster, takes eight bits
            return np.take(table, self.ids, mode="clip")
        padded = np.zeros(256, np.int16)
        padded[: len(table)] = table
        return np.asarray(cv2.LUT(self.ids.astype(np.uint8), padded), dtype=np.int16)

    def fill(self, outline: Floats, colour: Colour, part: int | None = None) -> None:
        """Fill a convex outline (N, 2) in pixels, as a ``part`` of BARE or CLOTH, as an object that
        hides people (NO_PERSON), or behind all people (None)."""
        fixed = fixed_point(outline)
        # LINE_8, because antialiasing would blend identities.
        if part is not None:
            cv2.fillConvexPoly(self.ids, fixed, self._identity(part), cv2.LINE_8, _SHIFT)
        cv2.fillConvexPoly(self.image, fixed, colour, cv2.LINE_AA, _SHIFT)

    def stroke(self, ends: Floats, radius: float, colour: Colour) -> None:
        """Draw a rod with round ends (2, 2) behind all people."""
        (x0, y0), (x1, y1) = fixed_point(ends).tolist()
        width = max(round(2 * radius), 1)
        cv2.line(self.image, (x0, y0), (x1, y1), colour, width, cv2.LINE_AA, _SHIFT)

    def solid(self, layers: NDArray[np.int32], tones: tuple[Colour, ...], part: int) -> None:
        """Fill nested fixed-point outlines (T, N, 2) from the rim inwards, one tone each."""
        cv2.fillConvexPoly(self.ids, layers[0], self._identity(part), cv2.LINE_8, _SHIFT)
        cv2.fillConvexPoly(self.image, layers[0], tones[0], cv2.LINE_AA, _SHIFT)
        for outline, tone in zip(layers[1:], tones[1:], strict=False):
            cv2.fillConvexPoly(self.image, outline, tone, cv2.LINE_8, _SHIFT)

    def _identity(self, part: int) -> int:
        return 0 if part == NO_PERSON else 1 + part + STRIDE * self.person


def fixed_point(points: Floats) -> NDArray[np.int32]:
    """Pixels as the fixed-point numbers that OpenCV draws with."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)
