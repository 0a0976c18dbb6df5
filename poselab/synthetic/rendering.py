"""Draw people on a canvas part by part, far parts first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from poselab.synthetic.appearance import Appearance, Colour, shade
from poselab.synthetic.canvas import BARE, CLOTH, Canvas, fixed_point
from poselab.synthetic.heads import Heads
from poselab.synthetic.projection import BODY_PARTS, LIMBS, ProjectedBodies, capsules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats

# Three tones of a limb from the rim inwards: size, shift towards the light, brightness.
_SIZES = np.array([1.0, 0.8, 0.46])
_SHIFTS = np.array([0.0, 0.12, 0.28])
_GAINS = (0.68, 0.92, 1.06)
_FINE = 3.5  # pixels of radius; thinner limbs lack the innermost tone

_LIMB = {name: row for row, name in enumerate(LIMBS)}
_BONE = tuple(name.removeprefix("left_").removeprefix("right_") for name in LIMBS)
_ROUND = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
_DISC = np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=1)


class BodyRenderer:
    """Outlines of people, computed for all at once; :meth:`draw` draws one person on an image.

    lights (P, 2) are directions in the image from which light falls on each person.
    """

    def __init__(
        self, bodies: ProjectedBodies, appearances: list[Appearance], lights: Floats
    ) -> None:
        self.bodies, self.appearances, self.lights = bodies, appearances, lights
        covers = [_cover(appearance) for appearance in appearances]
        self.share = [[cover.get(bone, 0.0) for bone in _BONE] for cover in covers]
        self.bare, self.covered = _limb_outlines(bodies, np.array(self.share), appearances, lights)
        self.layers = np.where(bodies.radii[..., 0] > _FINE, 3, 2).tolist()
        self.order = np.argsort(-bodies.depth, axis=1).tolist()
        self.heads = Heads(bodies)

    def draw(self, canvas: Canvas, person: int) -> None:
        """Draw one person on top of the image so far."""
        for part in self.order[person]:
            name = BODY_PARTS[part]
            if name == "head":
                self.heads.draw(canvas, person, self.appearances[person])
            elif name == "chest":
                self._chest(canvas, person)
            elif name == "pelvis":
                self._pelvis(canvas, person)
            elif name == "skirt":
                self._skirt(canvas, person)
            else:
                self._limb(canvas, person, name)

    def _limb(self, canvas: Canvas, person: int, name: str) -> None:
        appearance, row = self.appearances[person], _LIMB[name]
        if name == "hair" and appearance.hair < 2:
            return
        bone, share = _BONE[row], self.share[person][row]
        layers = self.layers[person][row]
        if share < 1.0:
            colour = {"hair": appearance.hair_colour, "foot": appearance.shoes}.get(
                bone, appearance.skin
            )
            outlines = self.bare[person, row, :layers]
            canvas.solid(outlines, _tones(colour), BARE[name])
        if share > 0.0:
            cloth = appearance.upper if "arm" in bone else appearance.lower
            canvas.solid(self.covered[person, row, :layers], _tones(cloth), CLOTH[name])

    def _hull(self, canvas: Canvas, person: int, points: Floats, colour: Colour, part: str) -> None:
        """Draw the convex hull of points (N, 2) as a lit solid."""
        outline = cv2.convexHull(points.astype(np.float32))[:, 0]
        low, high = outline.min(axis=0), outline.max(axis=0)
        middle, reach = (low + high) * 0.5, (high - low).min() * 0.5
        moved = middle + self.lights[person] * reach * _SHIFTS[:, None]
        layers = moved[:, None] + (outline - middle) * _SIZES[:, None, None]
        canvas.solid(fixed_point(layers), _tones(colour), CLOTH[part])

    def _chest(self, canvas: Canvas, person: int) -> None:
        appearance, rings = self.appearances[person], self.bodies.chest[person]
        radii = self.bodies.radii[person, :2, 0, None, None] * 0.9
        shoulders = self.bodies.ends[person, :2, 0, None] + radii * _DISC
        points = np.concatenate([rings.reshape(-1, 2), shoulders.reshape(-1, 2)])
        self._hull(canvas, person, points, appearance.upper, "chest")
        for stripe in range(appearance.stripes):
            _stripe(
                canvas,
                rings,
                (stripe + 0.5) / appearance.stripes,
                0.25 / appearance.stripes,
                appearance.trim,
            )
        if appearance.neckline and self.bodies.facing[person, 0] > 0.25:
            self._front(canvas, person, appearance)

    def _front(self, canvas: Canvas, person: int, appearance: Appearance) -> None:
        """The front of a chest, which a back lacks: an open collar, a row of buttons or a print."""
        rings = self.bodies.chest[person]
        front = rings[:, 3]
        if appearance.neckline == 1:
            collar = rings[0][[1, 5]]
            canvas.fill(
                np.concatenate([collar, [front[1] * 0.6 + front[2] * 0.4]]), appearance.skin
            )
        elif appearance.neckline == 2:
            half = np.array([0.012, 0.0]) * self.bodies.scale[person]
            strip = np.stack([front[0] + half, front[0] - half, front[3] - half, front[3] + half])
            canvas.fill(strip, appearance.trim)
        else:
            top = rings[2][[2, 4]] * 0.65 + front[1] * 0.35
            base = rings[2][[4, 2]] * 0.65 + front[3] * 0.35
            canvas.fill(np.concatenate([top, base]), appearance.trim)

    def _pelvis(self, canvas: Canvas, person: int) -> None:
        appearance, rings = self.appearances[person], self.bodies.pelvis[person]
        self._hull(canvas, person, rings.reshape(-1, 2), appearance.lower, "pelvis")
        if not appearance.tucked:
            hem = np.concatenate([self.bodies.chest[person, 3], rings[0], rings[1]])
            self._hull(canvas, person, hem, appearance.upper, "chest")

    def _skirt(self, canvas: Canvas, person: int) -> None:
        appearance, bodies = self.appearances[person], self.bodies
        if not appearance.skirt:
            return
        rows = [_LIMB["left_thigh"], _LIMB["right_thigh"]]
        ends, radii = bodies.ends[person, rows], bodies.radii[person, rows]
        hem = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * appearance.skirt
        discs = hem[:, None] + (radii[:, 0] * appearance.loose)[:, None, None] * _DISC
        points = np.concatenate([bodies.pelvis[person, :2].reshape(-1, 2), discs.reshape(-1, 2)])
        self._hull(canvas, person, points, appearance.lower, "skirt")


def _stripe(canvas: Canvas, rings: Floats, place: float, half: float, colour: Colour) -> None:
    """A band about the trunk between the shoulder ring and the waist ring."""
    levels = np.clip([place - half, place + half], 0.0, 1.0)[:, None, None]
    upper = rings[1] + (rings[2] - rings[1]) * levels * 3
    lower = rings[2] + (rings[3] - rings[2]) * (levels * 1.5 - 0.5)
    band = np.where(levels < 1 / 3, upper, lower).reshape(-1, 2)
    canvas.fill(cv2.convexHull(band.astype(np.float32))[:, 0], colour)


@lru_cache(maxsize=256)
def _tones(colour: Colour) -> tuple[Colour, ...]:
    return tuple(shade(colour, gain) for gain in _GAINS)


def _cover(appearance: Appearance) -> dict[str, float]:
    """The share of each bone that sleeves and trousers cover."""
    return {
        "upper_arm": min(appearance.sleeve * 2, 1.0),
        "forearm": max(appearance.sleeve * 2 - 1.0, 0.0) * 0.95,
        "thigh": min(appearance.trousers * 2, 1.0),
        "shank": max(appearance.trousers * 2 - 1.0, 0.0) * 0.97,
    }


def _limb_outlines(
    bodies: ProjectedBodies, share: Floats, appearances: list[Appearance], lights: Floats
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Bare and clothed limbs of all people (P, L, 3, 14, 2) in three tones, fixed point."""
    loose = np.array([appearance.loose for appearance in appearances])[:, None, None]
    stop = bodies.ends[:, :, 0] + (bodies.ends[:, :, 1] - bodies.ends[:, :, 0]) * share[..., None]
    narrow = bodies.radii[..., 0] + (bodies.radii[..., 1] - bodies.radii[..., 0]) * share
    cloth = np.stack([bodies.radii[..., 0], narrow], axis=-1) * loose
    ends = np.stack([bodies.ends, np.stack([bodies.ends[:, :, 0], stop], axis=2)], axis=2)
    radii = np.stack([bodies.radii, cloth], axis=2)
    tones = radii[..., None, :] * _SIZES[:, None]
    shifts = radii[..., None, :] * _SHIFTS[:, None]
    moved = ends[..., None, :, :] + shifts[..., None] * lights[:, None, None, None, None]
    outlines = fixed_point(capsules(moved, tones))
    return outlines[:, :, 0], outlines[:, :, 1]
