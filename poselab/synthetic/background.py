"""What lies behind and in front of people: textured walls and floors, furniture, clutter, noise.

Textures are made once per process from a fixed seed; images take random crops of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import cv2
import numpy as np

from poselab.synthetic.appearance import Colour, cloth_colour, shade, skin_colour
from poselab.synthetic.canvas import NO_PERSON
from poselab.synthetic.projection import capsules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Size
    from poselab.synthetic.canvas import Canvas

_SIDE = 416
_Pixel = TypeVar("_Pixel", np.uint8, np.int16)


class Textures(NamedTuple):
    """scenes (N, S, S, 3) uint8; patterns and grain (N, S, S) int16 about zero."""

    scenes: NDArray[np.uint8]
    patterns: NDArray[np.int16]
    grain: NDArray[np.int16]


@lru_cache(maxsize=1)
def textures() -> Textures:
    """The textures that all images share."""
    rng = np.random.default_rng(20240607)
    scenes = np.stack([_scene(rng) for _ in range(20)])
    patterns = np.stack([_pattern(rng, kind % 5) for kind in range(15)])
    grain = np.stack([rng.normal(0.0, 1.0, (_SIDE, _SIDE)) * 32 for _ in range(3)])
    return Textures(scenes, patterns, grain.astype(np.int16))


def _clouds(rng: np.random.Generator, finest: int, roughness: float) -> NDArray[np.float32]:
    """Noise (S, S) in 0 to 1 with detail from coarse to cells of a ``finest``-th of the side."""
    total, cells, weight = np.zeros((_SIDE, _SIDE), np.float32), 3, 1.0
    while cells <= finest:
        stretch = int(max(2, cells * rng.choice([0.5, 1.0, 1.0, 2.0])))
        coarse = rng.random((cells, stretch), dtype=np.float32) * np.float32(weight)
        total += cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * roughness
    middle, spread = total.mean(), 2.2 * total.std()
    return np.asarray(np.clip((total - middle) / (2 * spread) + 0.5, 0.0, 1.0), np.float32)


def _scene(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Clouds in a gradient of colours, sometimes with bricks, boards or stripes on them."""
    stops = np.array([cloth_colour(rng) for _ in range(int(rng.integers(2, 6)))])
    level = _clouds(rng, int(rng.choice([12, 48, 160])), rng.uniform(0.35, 0.85)) * 255
    at, steps = np.linspace(0.0, 255.0, len(stops)), np.arange(256.0)
    gain, offset = rng.uniform(0.4, 0.85), rng.uniform(10, 80)
    gradient = np.stack([np.interp(steps, at, stops[:, c]) for c in range(3)], axis=-1)
    image = (gradient * gain + offset).astype(np.int16)[level.astype(np.uint8)]
    if rng.random() < 0.55:
        relief = _pattern(rng, int(rng.integers(5))) * rng.uniform(0.1, 0.8)
        image += relief.astype(np.int16)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _pattern(rng: np.random.Generator, kind: int) -> NDArray[np.int16]:
    """Stripes, checks, dots, bricks or blotches (S, S), about -64 to 64."""
    turn, pitch = rng.uniform(0, np.pi), rng.uniform(7, 22)
    if kind == 4:
        return np.asarray(128 * _clouds(rng, 96, 0.8) - 64).astype(np.int16)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    if kind == 3:
        course = np.floor(y / pitch) % 2 * pitch
        joints = (y % pitch < 2) | ((x + course) % (2 * pitch) < 2)
        return np.where(joints, -64, 20).astype(np.int16)
    cos, sin = (np.float32(v * 2 * np.pi / pitch) for v in (np.cos(turn), np.sin(turn)))
    u, v = np.sin(x * cos + y * sin), np.sin(y * cos - x * sin)
    if kind == 0:
        return np.asarray(u * 64).astype(np.int16)
    checks, dots = (np.sign(u) + np.sign(v)) * 32, np.where(u * v > 0.45, 64, -26)
    return np.asarray(checks if kind == 1 else dots).astype(np.int16)


def random_crop(rng: np.random.Generator, stack: NDArray[_Pixel], size: Size) -> NDArray[_Pixel]:
    """A copy of a random crop of a random texture, enlarged only where it must be."""
    member = stack[rng.integers(len(stack))]
    high, wide = min(size[0], _SIDE - 32), min(size[1], _SIDE - 32)
    top, left = int(rng.integers(_SIDE - high + 1)), int(rng.integers(_SIDE - wide + 1))
    cut = member[top : top + high, left : left + wide]
    flipped = rng.random() < 0.5
    if (high, wide) != size:
        cut = cv2.resize(cut, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.flip(cut, 1) if flipped else cut.copy(), dtype=stack.dtype)


def backdrop(rng: np.random.Generator, size: Size, horizon: Floats) -> NDArray[np.uint8]:
    """A wall or sky above the horizon (2,), a floor below, (H, W, 3)."""
    pool = textures()
    image = random_crop(rng, pool.scenes, size)
    if rng.random() < 0.8:
        foot = horizon + rng.uniform(0.0, 0.14) * size[0]
        line = np.clip(foot, -4 * size[0], 5 * size[0])
        corners = [[0, line[0]], [size[1], line[1]], [size[1], size[0]], [0, size[0]]]
        mask = np.zeros(size, np.uint8)
        if line.max() < size[0]:
            cv2.fillConvexPoly(mask, np.array(corners).astype(np.int32), 255)
            cv2.copyTo(random_crop(rng, pool.scenes, size), mask, image)
    return image


def clutter(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw boxes, shapes, poles and limb-like rods behind all people."""
    for _ in range(int(rng.integers(0, 9))):
        place = rng.random(2) * canvas.size[::-1]
        reach = rng.uniform(0.04, 0.26) * min(canvas.size)
        draw = (box, blob, rod, rod, pane)[rng.integers(5)]
        draw(rng, canvas, place, reach)
    if rng.random() < 0.35:
        spread = int(rng.integers(1, 4)) * 2 + 1
        canvas.image[:] = cv2.blur(canvas.image, (spread, spread))


def foreground(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw one object that hides the people behind it."""
    height, width = canvas.size
    if rng.random() < 0.45:
        place = np.array([rng.random() * width, rng.uniform(0.75, 1.05) * height])
        box(rng, canvas, place, rng.uniform(0.12, 0.3) * min(height, width), NO_PERSON)
    elif rng.random() < 0.6:
        place = np.array([rng.random() * width, 0.5 * height])
        lean = rng.normal(0.0, 0.03) * height
        ends = place + np.array([[lean, -0.6 * height], [-lean, 0.6 * height]])
        bar = capsules(ends, np.full(2, rng.uniform(0.008, 0.035) * width))
        canvas.fill(bar, cloth_colour(rng), NO_PERSON)
    else:
        place = rng.uniform(0.2, 0.9, 2) * (width, height)
        blob(rng, canvas, place, rng.uniform(0.05, 0.14) * min(height, width), NO_PERSON)


def box(
    rng: np.random.Generator, canvas: Canvas, place: Floats, reach: float, part: int | None = None
) -> None:
    """A furniture-like box: front, top and one side."""
    w, h = reach * rng.uniform(0.5, 1.4, 2)
    back = np.array([rng.uniform(-0.5, 0.5) * w, -rng.uniform(0.15, 0.45) * h])
    colour = cloth_colour(rng)
    a, b, c, d = place + np.array([[-w, -h], [w, -h], [w, h], [-w, h]])
    canvas.fill(np.stack([a, b, b + back, a + back]), shade(colour, 1.15), part)
    near, far = (b, c) if back[0] > 0 else (a, d)
    canvas.fill(np.stack([near, far, far + back, near + back]), shade(colour, 0.6), part)
    canvas.fill(np.stack([a, b, c, d]), shade(colour, 0.85), part)
    if rng.random() < 0.6:
        inner = place + (np.stack([a, b, c, d]) - place) * rng.uniform(0.5, 0.9, 2)
        canvas.fill(inner, shade(colour, rng.uniform(0.6, 1.2)), part)


def blob(
    rng: np.random.Generator, canvas: Canvas, place: Floats, reach: float, part: int | None = None
) -> None:
    """A convex shape with a lighter inside."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach * rng.uniform(0.5, 1.3, 2)
    colour = cloth_colour(rng)
    canvas.fill(place + rim, shade(colour, 0.8), part)
    canvas.fill(place + rim * 0.75, colour, part)


def rod(rng: np.random.Generator, canvas: Canvas, place: Floats, reach: float) -> None:
    """One or two rods like limbs, some of them in skin colours."""
    colour = skin_colour(rng) if rng.random() < 0.4 else cloth_colour(rng)
    radius = reach * rng.uniform(0.06, 0.2)
    for _ in range(int(rng.integers(1, 3))):
        angle = rng.uniform(0, 2 * np.pi)
        stop = place + reach * np.array([np.cos(angle), np.sin(angle)])
        ends = np.stack([place, stop])
        canvas.stroke(ends, radius, shade(colour, 0.7))
        canvas.stroke(ends, radius * 0.7, colour)
        place, radius = stop, radius * 0.75


def pane(rng: np.random.Generator, canvas: Canvas, place: Floats, reach: float) -> None:
    """A window or a painting on the wall: a frame with something in it."""
    half = reach * rng.uniform(0.5, 1.3, 2)
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * half
    frame: Colour = cloth_colour(rng)
    canvas.fill(place + corners, frame)
    canvas.fill(place + corners * 0.85, cloth_colour(rng))
    if rng.random() < 0.5:
        bar = corners * [0.06, 0.85]
        canvas.fill(place + bar, frame)
        canvas.fill(place + bar[:, ::-1] * (half / half[::-1]), frame)
