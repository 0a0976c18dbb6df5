"""Heads: skull, hair, ears, hats, and a face that turns away with the head.

The skull is a unit sphere squashed to an ellipsoid, x to the person's left, y up, z forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from poselab.synthetic.appearance import Appearance, shade
from poselab.synthetic.canvas import BARE, Canvas

if TYPE_CHECKING:
    from poselab.structures import Floats
    from poselab.synthetic.projection import ProjectedBodies

EYES = np.array([[0.36, 0.1, 0.92], [-0.36, 0.1, 0.92]])
EARS = np.array([[1.02, 0.0, -0.08], [-1.02, 0.0, -0.08]])
NOSE = np.array([0.0, -0.2, 1.17])

_HEAD = BARE["head"]
_ROUND = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)


def _rim(centre: tuple[float, float, float], degrees: float, flat: float = 1.0) -> Floats:
    """Twelve points of the unit sphere about a direction; ``flat`` presses the patch flat."""
    middle = np.array(centre) / np.linalg.norm(centre)
    side = np.cross([0.0, 0.9, 0.1], middle)
    side /= np.linalg.norm(side)
    up = np.cross(middle, side)
    around = np.cos(_ROUND)[:, None] * side + flat * np.sin(_ROUND)[:, None] * up
    rim = np.cos(np.deg2rad(degrees)) * middle + np.sin(np.deg2rad(degrees)) * around
    return np.asarray(rim / np.linalg.norm(rim, axis=1, keepdims=True))


# Caps that may reach round the outline: direction and opening in degrees.
_CAPS = (((0.0, -0.42, 1.0), 69.0), ((0.0, 1.0, -0.12), 66.0), ((0.0, 1.0, -0.3), 74.0))
_FACE, _CAP, _BEANIE = range(3)
_CAP_RIMS = np.stack([_rim(*cap) for cap in _CAPS])
_CAP_MIDDLES = np.array([np.array(c) / np.linalg.norm(c) for c, _ in _CAPS])
_CAP_REACH = np.cos(np.deg2rad([degrees for _, degrees in _CAPS]))

# Small patches of the face, drawn whole where their middle faces the camera.
_MOUTH, _WHITES, _IRISES, _BROWS = 0, 1, 3, 5
_MARKS = np.stack(
    [
        _rim((0.0, -0.62, 0.9), 17.0, 0.32),
        *(_rim((x, y, z), 11.0, 0.62) for x, y, z in EYES.tolist()),
        *(_rim((x, y, z), 6.5) for x, y, z in EYES.tolist()),
        *(_rim((x, y + 0.26, z), 13.0, 0.24) for x, y, z in EYES.tolist()),
    ]
)
_MARK_MIDDLES = _MARKS.mean(axis=1)
_EAR_RIMS = EARS[:, None] + np.stack(
    [np.cos(_ROUND) * 0.02, np.sin(_ROUND) * 0.24, np.cos(_ROUND) * 0.17], axis=1
)
_RIDGE = np.array([[0.0, 0.12, 1.0], [0.13, -0.3, 0.98], [0.0, -0.22, 1.2], [-0.13, -0.3, 0.98]])
_BRIM = np.array([[0.75, 0.42, 0.65], [0.5, 0.4, 1.5], [-0.5, 0.4, 1.5], [-0.75, 0.42, 0.65]])
_POINTS = np.concatenate([x.reshape(-1, 3) for x in (_CAP_RIMS, _MARKS, _EAR_RIMS, _RIDGE, _BRIM)])


class Heads:
    """The heads of all people, projected at once; :meth:`draw` draws one of them."""

    def __init__(self, bodies: ProjectedBodies) -> None:
        skulls = bodies.skulls
        self.front = skulls.front
        self.circle = skulls.silhouette()
        self.outline = (self.circle @ skulls.matrix[:, :2].mT) + skulls.centre[:, None]
        flat = skulls.surface(_POINTS)
        self.caps = flat[:, :36].reshape(-1, 3, 12, 2)
        self.marks = flat[:, 36:120].reshape(-1, 7, 12, 2)
        self.ears = flat[:, 120:144].reshape(-1, 2, 12, 2)
        self.nose, self.brim = flat[:, 144:148], flat[:, 148:152]
        self.facing = self.front @ _MARK_MIDDLES.T

    def draw(self, canvas: Canvas, person: int, appearance: Appearance) -> None:
        """Draw one head."""
        near = 0 if self.front[person, 0] >= 0 else 1
        if appearance.hair != 2:
            canvas.fill(self.ears[person, 1 - near], shade(appearance.skin, 0.7), _HEAD)
        self._skull(canvas, person, appearance)
        self._face(canvas, person, appearance)
        if appearance.hair != 2 and abs(self.front[person, 0]) > 0.12:
            canvas.fill(self.ears[person, near], shade(appearance.skin, 0.8), _HEAD)
        self._hat(canvas, person, appearance)

    def _cap(self, person: int, cap: int) -> Floats | None:
        """The visible part of a cap: its rim in front and the outline within it; None: nothing."""
        rim = self.caps[person, cap][_CAP_RIMS[cap] @ self.front[person] >= 0]
        inside = self.circle[person] @ _CAP_MIDDLES[cap] > _CAP_REACH[cap]
        points = np.concatenate([rim, self.outline[person][inside]])
        if len(points) < 3:
            return None
        return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0])

    def _skull(self, canvas: Canvas, person: int, appearance: Appearance) -> None:
        outline = self.outline[person]
        middle = outline.mean(axis=0)
        colour = appearance.skin if appearance.hair == 0 else appearance.hair_colour
        grown = middle + (outline - middle) * (1.0 if appearance.hair == 0 else 1.07)
        canvas.fill(grown, shade(colour, 0.72), _HEAD)
        canvas.fill(middle + (outline - middle) * 0.88, colour)

    def _face(self, canvas: Canvas, person: int, appearance: Appearance) -> None:
        face = self._cap(person, _FACE)
        if face is not None:
            middle = face.mean(axis=0)
            canvas.fill(face, shade(appearance.skin, 0.88), _HEAD)
            canvas.fill(middle + (face - middle) * 0.84, appearance.skin)
        marks, facing = self.marks[person], self.facing[person]
        if facing[_MOUTH] > 0.1:
            canvas.fill(marks[_MOUTH], (70, 60, 0.55 * appearance.skin[2] + 40))
        for eye in (0, 1):
            if facing[_WHITES + eye] > 0.05:
                canvas.fill(marks[_WHITES + eye], (235, 235, 235))
                canvas.fill(marks[_IRISES + eye], (35, 30, 25))
                canvas.fill(marks[_BROWS + eye], shade(appearance.hair_colour, 0.7))
        if self.front[person, 2] > -0.05:
            nose = cv2.convexHull(self.nose[person].astype(np.float32))[:, 0]
            canvas.fill(nose, shade(appearance.skin, 0.76), _HEAD)

    def _hat(self, canvas: Canvas, person: int, appearance: Appearance) -> None:
        if appearance.hat == 0:
            return
        outline = self._cap(person, _CAP if appearance.hat == 1 else _BEANIE)
        if outline is not None:
            middle = self.outline[person].mean(axis=0)
            canvas.fill(middle + (outline - middle) * 1.1, appearance.trim, _HEAD)
        if appearance.hat == 1 and self.front[person, 2] > -0.5:
            brim = cv2.convexHull(self.brim[person].astype(np.float32))[:, 0]
            canvas.fill(brim, shade(appearance.trim, 0.75), _HEAD)
