"""A perspective camera above the ground that looks along -z, and where people stand before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.synthetic.body import turns

if TYPE_CHECKING:
    from poselab.structures import Floats, Size

NEAREST = 0.25


class Camera(NamedTuple):
    """position (3,) metres; rotation (3, 3) world → camera; focal in pixels; centre (x, y)."""

    position: Floats
    rotation: Floats
    focal: float
    centre: Floats

    def project(self, points: Floats) -> Floats:
        """World points (..., 3) → x and y in pixels and depth in metres (..., 3)."""
        seen = (points - self.position) @ self.rotation.T
        depth = np.maximum(-seen[..., 2], NEAREST)
        scale = self.focal / depth
        x = self.centre[0] + seen[..., 0] * scale
        y = self.centre[1] - seen[..., 1] * scale
        return np.stack([x, y, depth], axis=-1)

    def horizon(self, width: int) -> Floats:
        """The two points (2, 2) where the horizon leaves the picture at its left and right."""
        normal = self.rotation[:, 1]
        x = np.array([0.0, width - 1.0])
        ray = (x - self.centre[0]) / self.focal
        # Rays (ray, v, -1) that are level: normal · ray = 0.
        level = (normal[2] - normal[0] * ray) / normal[1]
        return np.stack([x, self.centre[1] - level * self.focal], axis=1)


def look(height: float, tilt: float, roll: float, focal: float, size: Size) -> Camera:
    """A camera ``height`` metres above the ground, tilted down and rolled by radians."""
    rotation = turns(2, np.asarray(roll)) @ turns(0, np.asarray(tilt))
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return Camera(np.array([0.0, height, 0.0]), rotation, focal, centre)


def sample_camera(
    rng: np.random.Generator, size: Size, middle: float, distance: float, focal: float
) -> Camera:
    """Draw a camera that sees a point ``middle`` metres up, ``distance`` away, near the centre."""
    height = middle + float(np.clip(rng.normal(0.25, 0.55), -0.4 * distance, 0.45 * distance))
    jitter = rng.uniform(-0.07, 0.07) * size[0] / focal
    tilt = float(np.arctan2(height - middle, distance)) + jitter
    roll = np.deg2rad(np.clip(rng.normal(0.0, 3.0), -9.0, 9.0))
    return look(max(height, 0.15), tilt, float(roll), focal, size)


def sample_focal(rng: np.random.Generator, size: Size) -> float:
    """Draw a focal length in pixels, about 30 to 60 degrees from top to bottom."""
    return float(max(size) * np.exp(rng.uniform(np.log(0.85), np.log(1.9))))


def sample_places(rng: np.random.Generator, size: Size, tall: Floats, focal: float) -> Floats:
    """Draw where people of that stature stand (P, 2): sideways and away from the camera, metres.

    One of them is large and near the middle; all stand at least half a metre apart in depth.
    """
    people = len(tall)
    share = rng.uniform(0.32, 0.85, people)
    share[:1] = rng.uniform(0.9, 1.6) if rng.random() < 0.12 else rng.uniform(0.5, 0.92)
    away = np.clip(focal * tall / (share * min(size[0], 1.6 * size[1])), 0.9, None)
    order = np.argsort(away)
    steps = np.arange(people) * 0.5
    away[order] = np.maximum.accumulate(away[order] - steps) + steps
    column = rng.uniform(0.1, 0.9, people)
    column[:1] = rng.uniform(0.3, 0.7)
    sideways = (column - 0.5) * size[1] / focal * away
    return np.stack([sideways, away], axis=1)
