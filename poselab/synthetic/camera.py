"""Perspective cameras above the ground that look along -z, and where people stand in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.synthetic.body import rotations

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints, Size

NEAREST = 0.25


class Cameras(NamedTuple):
    """C cameras of one image size.

    position (C, 3) metres; rotation (C, 3, 3) world → camera; focal (C,) pixels; centre (2,) x y.
    """

    position: Floats
    rotation: Floats
    focal: Floats
    centre: Floats

    def take(self, rows: Ints) -> Cameras:
        """The cameras of some rows, which may repeat."""
        return self._replace(
            position=self.position[rows], rotation=self.rotation[rows], focal=self.focal[rows]
        )

    def project(self, points: Floats) -> Floats:
        """World points (C, ..., 3) → x and y in pixels and depth in metres (C, ..., 3)."""
        flat = points.reshape(len(points), -1, 3) - self.position[:, None]
        seen = flat @ self.rotation.mT
        depth = np.maximum(-seen[..., 2], NEAREST)
        seen[..., :2] *= (self.focal[:, None] / depth)[..., None] * np.array([1.0, -1.0])
        seen[..., :2] += self.centre
        seen[..., 2] = depth
        return np.asarray(seen.reshape(points.shape))

    def horizon(self, row: int, width: int) -> Floats:
        """The y (2,) in pixels at which the horizon crosses the left and right border."""
        # A ray (x, y, -1) is level where it is perpendicular to the world's up direction.
        right, up, back = self.rotation[row, :, 1]
        ray = (np.array([0.0, width - 1.0]) - self.centre[0]) / self.focal[row]
        return np.asarray(self.centre[1] - (back - right * ray) / up * self.focal[row])


def tilted_camera(height: float, tilt: float, roll: float, focal: float, size: Size) -> Cameras:
    """One camera ``height`` metres above the ground, tilted down and rolled by radians."""
    rotation = rotations(2, np.array([roll])) @ rotations(0, np.array([tilt]))
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return Cameras(np.array([[0.0, height, 0.0]]), rotation, np.array([focal]), centre)


def stack(cameras: list[Cameras]) -> Cameras:
    """All cameras in one tuple."""
    position, rotation, focal = (
        np.concatenate(field) for field in list(zip(*cameras, strict=True))[:3]
    )
    return Cameras(position, rotation, focal, cameras[0].centre)


def sample_camera(
    rng: np.random.Generator, size: Size, middle: float, distance: float, focal: float
) -> Cameras:
    """Sample a camera that sees a point, ``middle`` metres up and ``distance`` away, near its
    centre."""
    height = middle + float(np.clip(rng.normal(0.25, 0.55), -0.4 * distance, 0.45 * distance))
    jitter = rng.uniform(-0.07, 0.07) * size[0] / focal
    tilt = float(np.arctan2(height - middle, distance)) + jitter
    roll = np.deg2rad(np.clip(rng.normal(0.0, 3.0), -9.0, 9.0))
    return tilted_camera(max(height, 0.15), tilt, float(roll), focal, size)


def sample_focal(rng: np.random.Generator, size: Size) -> float:
    """Sample a focal length in pixels, about 30 to 60 degrees from top to bottom."""
    return float(max(size) * np.exp(rng.uniform(np.log(0.85), np.log(1.9))))


def sample_places(rng: np.random.Generator, size: Size, tall: Floats, focal: float) -> Floats:
    """Sample where people of statures ``tall`` (P,) stand (P, 2): metres sideways and away from the
    camera.

    One of them is large and near the middle; all stand at least half a metre apart in depth.
    """
    instances = len(tall)
    share = rng.uniform(0.32, 0.85, instances)
    share[:1] = rng.uniform(0.9, 1.6) if rng.random() < 0.12 else rng.uniform(0.5, 0.92)
    away = np.clip(focal * tall / (share * min(size[0], 1.6 * size[1])), 0.9, None)
    order = np.argsort(away)
    steps = np.arange(instances) * 0.5
    away[order] = np.maximum.accumulate(away[order] - steps) + steps
    column = rng.uniform(0.1, 0.9, instances)
    column[:1] = rng.uniform(0.3, 0.7)
    sideways = (column - 0.5) * size[1] / focal * away
    return np.stack([sideways, away], axis=1)
