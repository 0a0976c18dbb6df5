"""One picture: people before a camera in a cluttered place, and what can be seen of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from poselab.synthetic.background import backdrop, clutter, foreground, textures, window
from poselab.synthetic.body import JOINT, Bodies, Shape, pose, sample_shapes
from poselab.synthetic.camera import Camera, sample_camera, sample_focal, sample_places
from poselab.synthetic.canvas import STRIDE, Canvas
from poselab.synthetic.figure import PARTS, figures
from poselab.synthetic.paint import Painter
from poselab.synthetic.poses import sample_poses
from poselab.synthetic.visibility import NAMED, points_of, visible_points
from poselab.synthetic.wardrobe import Looks, sample_looks, shade

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Ints, Size

_LOW = [JOINT[name] for name in ("left_heel", "right_heel", "left_toes", "right_toes")]
_LOW += [JOINT[name] for name in ("left_knee", "right_knee", "left_fingers", "right_fingers")]
_LOW += [JOINT["pelvis"], JOINT["head"]]
_CLEARANCE = np.array([0.02, 0.02, 0.02, 0.02, 0.04, 0.04, 0.02, 0.02, 0.07, 0.08])
EMPTY_SHARE, CROWD_SHARE, CLUTTER_SHARE = 0.02, 0.03, 0.3


class Cast(NamedTuple):
    """Who is in a picture: bodies in the world, their shapes and looks; crowd (P,) bool marks the
    far people whom nobody labels one by one."""

    bodies: Bodies
    shape: Shape
    looks: list[Looks]
    crowd: NDArray[np.bool_]


class Scene(NamedTuple):
    """A finished picture.

    image (H, W, 3) uint8 BGR; owner (H, W) int16 the person on top, -1 for none; points (P, N, 2)
    pixels and visible (P, N) 0/1/2 of :data:`NAMED`; head_boxes (P, 4) x y w h; crowd (P,) bool.
    """

    image: NDArray[np.uint8]
    owner: NDArray[np.int16]
    points: Floats
    visible: Ints
    head_boxes: Floats
    crowd: NDArray[np.bool_]


def sample_scene(rng: np.random.Generator, size: Size, people: tuple[int, int]) -> Scene:
    """Draw one picture with between ``people[0]`` and ``people[1]`` people.

    A few pictures are empty, and a few have a far crowd besides.
    """
    count = int(rng.integers(people[0], people[1] + 1))
    if rng.random() < EMPTY_SHARE:
        count = 0
    far = int(rng.integers(5, 12)) if rng.random() < CROWD_SHARE else 0
    cast, camera = _gather(rng, size, count, far)
    canvas = Canvas(backdrop(rng, size, camera.horizon(size[1])))
    clutter(rng, canvas)
    return draw(rng, canvas, cast, camera)


def _gather(rng: np.random.Generator, size: Size, count: int, far: int) -> tuple[Cast, Camera]:
    """Draw people and stand them on the ground before a camera that sees them."""
    total = count + far
    shape = sample_shapes(rng, total)
    angles, lift = sample_poses(rng, total)
    bodies = pose(shape, angles)
    focal = sample_focal(rng, size)
    places = sample_places(rng, size, shape.stature[:count], focal)
    if far:
        places = np.concatenate([places, _far_places(rng, size, far, focal, places)])
    low = (bodies.joints[:, _LOW, 1] - _CLEARANCE * shape.stature[:, None]).min(axis=1)
    bodies = bodies.moved(np.stack([places[:, 0], lift - low, -places[:, 1]], axis=1))
    nearest = int(np.argmin(places[:, 1])) if total else 0
    middle = float(bodies.joints[nearest, JOINT["pelvis"], 1]) if total else 1.0
    distance = float(places[nearest, 1]) if total else 4.0
    camera = sample_camera(rng, size, middle, distance, focal)
    looks = [sample_looks(rng) for _ in range(total)]
    return Cast(bodies, shape, looks, np.arange(total) >= count), camera


def _far_places(
    rng: np.random.Generator, size: Size, far: int, focal: float, near: Floats
) -> Floats:
    """Where a crowd stands: side by side, each about a tenth of the picture high."""
    away = 1.7 * focal / (rng.uniform(0.07, 0.13) * size[0])
    away = max(away, float(near[:, 1].max(initial=0.0)) + 3.0)
    across = rng.uniform(-0.35, 0.35) * size[1] / focal * away
    steps = (np.arange(far) - far / 2) * rng.uniform(0.45, 0.9) + rng.normal(0.0, 0.15, far)
    return np.stack([across + steps, away + rng.uniform(0.0, 2.0, far)], axis=1)


def draw(rng: np.random.Generator, canvas: Canvas, cast: Cast, camera: Camera) -> Scene:
    """Paint a cast on a canvas, far people first, and find out what of them can be seen."""
    total = len(cast.looks)
    if not total:
        empty = np.zeros((0, len(NAMED), 2))
        visible = np.zeros((0, len(NAMED)), np.int64)
        owner = np.full(canvas.size, -1, np.int16)
        image = finish(rng, canvas, cast.looks)
        return Scene(image, owner, empty, visible, np.zeros((0, 4)), cast.crowd)
    people = figures(cast.bodies, cast.shape, cast.looks, camera)
    painter = Painter(canvas, people, cast.looks, _light(rng))
    _shadows(rng, canvas, cast.bodies, camera)
    order = np.argsort(-people.joints[:, JOINT["pelvis"], 2]).tolist()
    prop_after = int(rng.integers(total)) if rng.random() < CLUTTER_SHARE else -1
    for place, person in enumerate(order):
        painter.paint(person)
        if place == prop_after:
            foreground(rng, canvas)
    points = points_of(people)
    visible = visible_points(people, points, canvas.ids)
    owner = (canvas.ids + (STRIDE - 1)) // STRIDE - 1
    image = finish(rng, canvas, cast.looks)
    return Scene(image, owner, points, visible, _head_boxes(painter), cast.crowd)


def _head_boxes(painter: Painter) -> Floats:
    outline = painter.heads.outline
    low, high = outline.min(axis=1), outline.max(axis=1)
    return np.concatenate([low, high - low], axis=1)


def _light(rng: np.random.Generator) -> Floats:
    angle = rng.uniform(-np.pi, 0.0)
    return np.array([np.cos(angle), np.sin(angle)])


def _shadows(rng: np.random.Generator, canvas: Canvas, bodies: Bodies, camera: Camera) -> None:
    """Darken the ground under people, in one tone of what is there."""
    turn = np.linspace(0.0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([0.42 * np.cos(turn), np.zeros(16), 0.3 * np.sin(turn)], axis=1)
    feet = bodies.joints[:, _LOW[:4]].mean(axis=1) * [1.0, 0.0, 1.0]
    spots = camera.project(feet[:, None] + ring)
    height, width = canvas.size
    for spot in spots:
        x, y = (int(v) for v in spot[:, :2].mean(axis=0))
        if 0 <= x < width and 0 <= y < height:
            blue, green, red = canvas.image[y, x].tolist()
            canvas.fill(spot[:, :2], shade((blue, green, red), rng.uniform(0.45, 0.8)))


def finish(rng: np.random.Generator, canvas: Canvas, looks: list[Looks]) -> NDArray[np.uint8]:
    """Cloth patterns, uneven light, grain, contrast and a little blur, as a camera would add."""
    pool, size = textures(), canvas.size
    change: NDArray[Any] = window(rng, pool.grain, size) * np.int16(rng.integers(0, 10))
    change += _ramp(rng, size)
    for slot in (0, 1):
        strength = _strengths(looks, slot)
        if strength.any():
            pattern = window(rng, pool.patterns, size)
            change += cv2.multiply(pattern, np.take(strength, canvas.ids, mode="clip"))
    change >>= 5
    image = cv2.add(canvas.image, cv2.merge([change] * 3), dtype=cv2.CV_8U)
    contrast, brightness = rng.uniform(0.75, 1.15), rng.uniform(-25.0, 25.0)
    image = cv2.convertScaleAbs(image, alpha=contrast, beta=max(brightness, 0.0))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.4, 1.0))
    return np.asarray(image)


def _ramp(rng: np.random.Generator, size: Size) -> NDArray[np.int16]:
    """Light that falls off across the picture (H, W), in 32nds of a grey level."""
    across, down = rng.normal(0.0, 400.0, 2)
    x, y = np.linspace(-across, across, size[1]), np.linspace(-down, down, size[0])
    return (y.astype(np.int16)[:, None] + x.astype(np.int16)).astype(np.int16)


def _strengths(looks: list[Looks], slot: int) -> NDArray[np.int16]:
    """How strongly a pattern shows on each identity: on the cloth of those who wear it."""
    table = np.zeros((len(looks), 2, len(PARTS)), np.int16)
    for row, look in enumerate(looks):
        upper, lower = (16 if pattern == slot else 0 for pattern in look.patterns)
        for column, part in enumerate(PARTS):
            table[row, 1, column] = upper if "arm" in part or part == "chest" else lower
    return np.concatenate([[0], table.reshape(-1)]).astype(np.int16)
