"""Scenes: people in front of a camera, drawn in a cluttered place, and which points are visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from poselab.synthetic.appearance import Appearance, sample_appearance, shade
from poselab.synthetic.background import backdrop, clutter, foreground, random_crop, textures
from poselab.synthetic.body import JOINT_INDEX, Angles, Bodies, Shape, pose, sample_shapes
from poselab.synthetic.camera import Cameras, sample_camera, sample_focal, sample_places, stack
from poselab.synthetic.canvas import Canvas
from poselab.synthetic.poses import sample_poses
from poselab.synthetic.projection import BODY_PARTS, ProjectedBodies, project_bodies
from poselab.synthetic.rendering import BodyRenderer
from poselab.synthetic.visibility import POINT_NAMES, labelled_points, on_near_side, visible_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Ints, Size

_LOW = [JOINT_INDEX[name] for name in ("left_heel", "right_heel", "left_toes", "right_toes")]
_LOW += [JOINT_INDEX[name] for name in ("left_knee", "right_knee", "left_fingers", "right_fingers")]
_LOW += [JOINT_INDEX["pelvis"], JOINT_INDEX["head"]]
_CLEARANCE = np.array([0.02, 0.02, 0.02, 0.02, 0.04, 0.04, 0.02, 0.02, 0.07, 0.08])
EMPTY_SHARE, CROWD_SHARE, PROP_SHARE = 0.02, 0.03, 0.3


class ScenePeople(NamedTuple):
    """The people of several images: bodies in the world, their shapes and appearances.

    image (P,) is the row of each person's image, ascending; crowd (P,) bool marks people in the
    distance, who are labelled as one crowd.
    """

    bodies: Bodies
    shape: Shape
    appearances: list[Appearance]
    image: Ints
    crowd: NDArray[np.bool_]


class Scene(NamedTuple):
    """A finished image.

    image (H, W, 3) uint8 BGR; owner (H, W) int16 the person on top, -1 for none; points (P, N, 2)
    pixels and visibility (P, N) 0/1/2 of POINT_NAMES; head_boxes (P, 4) x y w h; crowd (P,) bool.
    """

    image: NDArray[np.uint8]
    owner: NDArray[np.int16]
    points: Floats
    visibility: Ints
    head_boxes: Floats
    crowd: NDArray[np.bool_]


def sample_scenes(
    rngs: list[np.random.Generator], size: Size, instances: tuple[int, int], turn: float = 180.0
) -> list[Scene]:
    """Sample one image from each generator, with ``instances[0]`` to ``instances[1]`` people.

    They turn by up to ``turn`` degrees away from the camera. A few images have no people, and a few
    also have a crowd in the distance. Random numbers are drawn image by image; kinematics and
    outlines are computed for all people at once.
    """
    plans = [_plan_image(rng, size, instances, turn) for rng in rngs]
    shape = Shape(*(np.concatenate(field) for field in zip(*(d.shape for d in plans), strict=True)))
    angles = Angles(
        *(np.concatenate(field) for field in zip(*(d.angles for d in plans), strict=True))
    )
    bodies = pose(shape, angles)
    low = (bodies.joints[:, _LOW, 1] - _CLEARANCE * shape.stature[:, None]).min(axis=1)
    bodies = bodies.moved(np.concatenate([d.places for d in plans]) - low[:, None] * [0, 1, 0])
    counts = [len(plan.places) for plan in plans]
    crowd = np.concatenate([np.arange(len(d.places)) >= d.near for d in plans])
    starts = np.cumsum([0, *counts])
    cameras, canvases, appearances = [], [], []
    for rng, plan, start in zip(rngs, plans, starts[:-1].tolist(), strict=True):
        camera = _camera(rng, size, plan, bodies.joints[start:, JOINT_INDEX["pelvis"]])
        appearances += [sample_appearance(rng) for _ in plan.places]
        canvases.append(Canvas(backdrop(rng, size, camera.horizon(0, size[1]))))
        clutter(rng, canvases[-1])
        cameras.append(camera)
    people = ScenePeople(
        bodies, shape, appearances, np.repeat(np.arange(len(plans)), counts), crowd
    )
    return render_scenes(rngs, canvases, people, stack(cameras))


class _ImagePlan(NamedTuple):
    """One image's people before they are posed; all but the first ``near`` are a crowd.

    places (P, 3) metres: sideways, above the ground, -away; focal in pixels.
    """

    shape: Shape
    angles: Angles
    places: Floats
    near: int
    focal: float


def _plan_image(
    rng: np.random.Generator, size: Size, instances: tuple[int, int], turn: float
) -> _ImagePlan:
    near = int(rng.integers(instances[0], instances[1] + 1))
    near = 0 if rng.random() < EMPTY_SHARE else near
    far = int(rng.integers(5, 12)) if rng.random() < CROWD_SHARE else 0
    shape = sample_shapes(rng, near + far)
    angles, lift = sample_poses(rng, near + far, turn)
    focal = sample_focal(rng, size)
    ground = sample_places(rng, size, shape.stature[:near], focal)
    if far:
        ground = np.concatenate([ground, _far_places(rng, size, far, focal, ground)])
    places = np.stack([ground[:, 0], lift, -ground[:, 1]], axis=1)
    return _ImagePlan(shape, angles, places, near, focal)


def _camera(rng: np.random.Generator, size: Size, plan: _ImagePlan, pelvis: Floats) -> Cameras:
    """A camera that sees the nearest person, of pelvises (P, 3), or a place without people."""
    if not len(plan.places):
        return sample_camera(rng, size, 1.0, 4.0, plan.focal)
    _, middle, away = pelvis[int(np.argmax(plan.places[:, 2]))].tolist()
    return sample_camera(rng, size, middle, -away, plan.focal)


def _far_places(
    rng: np.random.Generator, size: Size, far: int, focal: float, near: Floats
) -> Floats:
    """Where a crowd stands: side by side, each about a tenth of the image high."""
    away = 1.7 * focal / (rng.uniform(0.07, 0.13) * size[0])
    away = max(away, float(near[:, 1].max(initial=0.0)) + 3.0)
    across = rng.uniform(-0.35, 0.35) * size[1] / focal * away
    steps = (np.arange(far) - far / 2) * rng.uniform(0.45, 0.9) + rng.normal(0.0, 0.15, far)
    return np.stack([across + steps, away + rng.uniform(0.0, 2.0, far)], axis=1)


def render_scenes(
    rngs: list[np.random.Generator], canvases: list[Canvas], people: ScenePeople, cameras: Cameras
) -> list[Scene]:
    """Draw all people, far ones first, and find which of their points are visible."""
    if not people.appearances:
        return [
            _without_people(finish(rng, canvas, []))
            for rng, canvas in zip(rngs, canvases, strict=True)
        ]
    per_person = cameras.take(people.image)
    bodies = project_bodies(people.bodies, people.shape, people.appearances, per_person)
    falls = [float(rng.uniform(-np.pi, 0.0)) for rng in rngs]  # from above, as y points down
    lights = np.array([(np.cos(angle), np.sin(angle)) for angle in falls])
    scenes = _SceneRenderer(
        people,
        bodies,
        BodyRenderer(bodies, people.appearances, lights[people.image]),
        labelled_points(bodies),
        on_near_side(bodies),
        _shadows(people.bodies, per_person),
    )
    return [
        scenes.scene(rng, canvas, row)
        for row, (rng, canvas) in enumerate(zip(rngs, canvases, strict=True))
    ]


class _SceneRenderer(NamedTuple):
    """All people of several images, ready to be drawn: (P, ...) each."""

    people: ScenePeople
    bodies: ProjectedBodies
    renderer: BodyRenderer
    points: Floats
    near: NDArray[np.bool_]
    shadows: Floats

    def scene(self, rng: np.random.Generator, canvas: Canvas, row: int) -> Scene:
        """Draw one image."""
        here = np.flatnonzero(self.people.image == row)
        if not len(here):
            return _without_people(finish(rng, canvas, []))
        for person in here.tolist():
            _shade_ground(rng, canvas, self.shadows[person])
        away = self.bodies.joints[here, JOINT_INDEX["pelvis"], 2]
        prop_after = int(rng.integers(len(here))) if rng.random() < PROP_SHARE else -1
        for place, number in enumerate(np.argsort(-away).tolist()):
            canvas.person = number
            self.renderer.draw(canvas, int(here[number]))
            if place == prop_after:
                foreground(rng, canvas)
        image = finish(rng, canvas, [self.people.appearances[person] for person in here])
        outline = self.renderer.heads.outline[here]
        low, high = outline.min(axis=1), outline.max(axis=1)
        return Scene(
            image,
            canvas.owner,
            self.points[here],
            visible_points(self.points[here], self.near[here], canvas.ids),
            np.concatenate([low, high - low], axis=1),
            self.people.crowd[here],
        )


def _without_people(image: NDArray[np.uint8]) -> Scene:
    """An image without people."""
    return Scene(
        image,
        np.full(image.shape[:2], -1, np.int16),
        np.zeros((0, len(POINT_NAMES), 2)),
        np.zeros((0, len(POINT_NAMES)), np.int64),
        np.zeros((0, 4)),
        np.zeros(0, bool),
    )


def _shadows(bodies: Bodies, cameras: Cameras) -> Floats:
    """Where people darken the ground (P, 16, 2), pixels."""
    turn = np.linspace(0.0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([0.42 * np.cos(turn), np.zeros(16), 0.3 * np.sin(turn)], axis=1)
    feet = bodies.joints[:, _LOW[:4]].mean(axis=1) * [1.0, 0.0, 1.0]
    return cameras.project(feet[:, None] + ring)[..., :2]


def _shade_ground(rng: np.random.Generator, canvas: Canvas, spot: Floats) -> None:
    """Darken the ground with one tone, made from its colour at the middle of the spot."""
    height, width = canvas.size
    x, y = (int(v) for v in spot.mean(axis=0))
    if 0 <= x < width and 0 <= y < height:
        blue, green, red = canvas.image[y, x].tolist()
        canvas.fill(spot, shade((blue, green, red), rng.uniform(0.45, 0.8)))


def finish(
    rng: np.random.Generator, canvas: Canvas, appearances: list[Appearance]
) -> NDArray[np.uint8]:
    """The image with cloth patterns, uneven light, grain, contrast and a little blur."""
    pool, size = textures(), canvas.size
    change = random_crop(rng, pool.grain, size)
    change *= np.int16(rng.integers(0, 10))
    change += _ramp(rng, size)
    strength = _strengths(appearances)
    if strength.any():
        pattern = random_crop(rng, pool.patterns, size)
        pattern *= canvas.look_up(strength)
        change += pattern
    change >>= 5  # 32nds of a grey level in whole numbers, which is faster than in floats
    grey = cv2.convertScaleAbs(change, alpha=1.0, beta=128.0)
    contrast, brightness = rng.uniform(0.75, 1.15), rng.uniform(-15.0, 25.0)
    bias = brightness - 128.0
    image = cv2.addWeighted(canvas.image, contrast, cv2.merge([grey] * 3), 1.0, bias)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.4, 1.0))
    return np.asarray(image, dtype=np.uint8)


def _ramp(rng: np.random.Generator, size: Size) -> NDArray[np.int16]:
    """A change of brightness across the image (H, W), in 32nds of a grey level."""
    across, down = rng.normal(0.0, 400.0, 2)
    x, y = np.linspace(-across, across, size[1]), np.linspace(-down, down, size[0])
    return (y.astype(np.int16)[:, None] + x.astype(np.int16)).astype(np.int16)


def _strengths(appearances: list[Appearance]) -> NDArray[np.int16]:
    """The strength of the pattern on each identity; zero except on patterned cloth."""
    table = np.zeros((len(appearances), 2, len(BODY_PARTS)), np.int16)
    for row, appearance in enumerate(appearances):
        upper, lower = appearance.patterns
        for column, part in enumerate(BODY_PARTS):
            table[row, 1, column] = upper if "arm" in part or part == "chest" else lower
    return np.concatenate([[0], table.reshape(-1)]).astype(np.int16)
