"""Bodies projected to polygons: limbs, rings of the trunk and skulls, of all people at once.

:mod:`poselab.synthetic.rendering` draws these polygons by depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab.synthetic.body import JOINT_INDEX

if TYPE_CHECKING:
    from poselab.structures import Floats
    from poselab.synthetic.appearance import Appearance
    from poselab.synthetic.body import Bodies, Shape
    from poselab.synthetic.camera import Cameras

_BONES = ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
BODY_PARTS = (
    *("pelvis", "chest", "neck", "head", "hair", "skirt"),
    *(f"{side}_{bone}" for bone in _BONES for side in ("left", "right")),
)
PART_INDEX = {name: row for row, name in enumerate(BODY_PARTS)}
LIMBS = (*BODY_PARTS[6:], "neck", "hair")

# Name of the joint at either end, radius there in fractions of stature.
_ENDS = {
    "upper_arm": ("shoulder", "elbow", 0.0300, 0.0245),
    "forearm": ("elbow", "wrist", 0.0240, 0.0165),
    "hand": ("wrist", "fingers", 0.0190, 0.0150),
    "thigh": ("hip", "knee", 0.0510, 0.0350),
    "shank": ("knee", "ankle", 0.0355, 0.0215),
    "foot": ("heel", "toes", 0.0210, 0.0175),
}
_STARTS = [JOINT_INDEX[f"{s}_{_ENDS[b][0]}"] for b in _BONES for s in ("left", "right")]
_STOPS = [JOINT_INDEX[f"{s}_{_ENDS[b][1]}"] for b in _BONES for s in ("left", "right")]
_RADII = np.array([_ENDS[b][2:] for b in _BONES for _ in ("left", "right")])

_RING = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.stack([np.cos(_RING), np.zeros(12), np.sin(_RING)], axis=1)
# Rings about the trunk: (height above the frame's joint, half width, half depth) of stature.
_CHEST_RINGS = np.array(
    [[0.030, 0.036, 0.034], [0.008, 0.098, 0.046], [-0.060, 0.100, 0.064], [-0.195, 0.082, 0.056]]
)
_PELVIS_RINGS = np.array([[0.095, 0.082, 0.058], [0.02, 0.098, 0.068], [-0.035, 0.07, 0.055]])

_ARC = np.linspace(0.0, 1.0, 7)


class Skulls(NamedTuple):
    """Heads on the image: centre (P, 2); matrix (P, 3, 3) from the unit sphere to pixels (rows
    x, y, depth towards the camera); front (P, 3) unit, the sphere's direction to the cameras."""

    centre: Floats
    matrix: Floats
    front: Floats

    def surface(self, points: Floats) -> Floats:
        """Points (..., 3) of the unit sphere → pixels (P, ..., 2)."""
        flat = points.reshape(-1, 3) @ self.matrix[:, :2].mT
        return (flat + self.centre[:, None]).reshape(len(self.centre), *points.shape[:-1], 2)

    def silhouette(self) -> Floats:
        """The great circles (P, 24, 3) on the unit spheres that outline them for the camera."""
        other = np.where(np.abs(self.front[:, 1:2]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
        across = np.cross(other, self.front)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        up = np.cross(self.front, across)
        angle = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)[:, None]
        return np.asarray(np.cos(angle) * across[:, None] + np.sin(angle) * up[:, None])


class ProjectedBodies(NamedTuple):
    """All that rendering needs, in pixels.

    joints (P, J, 3) x, y and depth in metres; ends (P, L, 2, 2) and radii (P, L, 2) of LIMBS;
    depth (P, BODY_PARTS) metres; chest (P, 4, 12, 2) and pelvis (P, 3, 12, 2) rings; facing (P, 2)
    the cosine between the fronts of chest and head and the direction to the camera; scale (P,)
    pixels per metre.
    """

    joints: Floats
    ends: Floats
    radii: Floats
    depth: Floats
    chest: Floats
    pelvis: Floats
    facing: Floats
    scale: Floats
    skulls: Skulls


def project_bodies(
    bodies: Bodies, shape: Shape, appearances: list[Appearance], cameras: Cameras
) -> ProjectedBodies:
    """Project posed bodies, each through its own camera."""
    joints = cameras.project(bodies.joints)
    skulls = _skulls(bodies, cameras, joints)
    ends, depths, radii = _limbs(bodies, shape, appearances, cameras, joints)
    thick = np.sqrt(shape.girth)
    frames = (bodies.chest, bodies.joints[:, JOINT_INDEX["thorax"]])
    chest = cameras.project(_rings(_CHEST_RINGS, shape, shape.shoulders, thick, frames))
    frames = (bodies.pelvis, bodies.joints[:, JOINT_INDEX["pelvis"]])
    pelvis = cameras.project(_rings(_PELVIS_RINGS, shape, shape.hips, thick, frames))
    towards = cameras.position - bodies.joints[:, JOINT_INDEX["thorax"]]
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    facing = [np.einsum("pc,pc->p", f[:, :, 2], towards) for f in (bodies.chest, bodies.head)]
    return ProjectedBodies(
        joints,
        ends,
        radii,
        _depths(joints, depths, chest, pelvis),
        chest[..., :2],
        pelvis[..., :2],
        np.stack(facing, axis=1),
        cameras.focal / joints[:, JOINT_INDEX["pelvis"], 2],
        skulls,
    )


def capsules(ends: Floats, radii: Floats) -> Floats:
    """Outlines (..., 14, 2) of tapered limbs with round ends; ends (..., 2, 2), radii (..., 2).

    Where one end's disc contains the other's, the outline is the larger disc.
    """
    along = ends[..., 1, :] - ends[..., 0, :]
    length = np.linalg.norm(along, axis=-1)
    slope = (radii[..., 0] - radii[..., 1]) / np.maximum(length, 1e-6)
    contained = np.abs(slope) >= 1.0
    if contained.any():
        larger = np.argmax(radii, axis=-1)[..., None]
        one_radius = np.take_along_axis(radii, larger, axis=-1)
        one_end = np.take_along_axis(ends, larger[..., None], axis=-2)
        radii = np.where(contained[..., None], one_radius, radii)
        ends = np.where(contained[..., None, None], one_end, ends)
    open_angle = np.arccos(np.clip(slope, -1.0, 1.0))
    open_angle = np.where(contained, np.pi / 2, open_angle)[..., None]
    axis = np.arctan2(along[..., 1], along[..., 0])[..., None]
    start = axis + open_angle + _ARC * 2 * (np.pi - open_angle)
    stop = axis - open_angle + _ARC * 2 * open_angle
    angle = np.concatenate([start, stop], axis=-1)
    centre = np.repeat(ends, len(_ARC), axis=-2)
    reach = np.repeat(radii, len(_ARC), axis=-1)
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.asarray(centre + reach[..., None] * rim)


def _rings(
    rings: Floats, shape: Shape, wide: Floats, thick: Floats, frame: tuple[Floats, Floats]
) -> Floats:
    """Rings about the trunk in the world (P, R, 12, 3)."""
    size = np.stack([np.ones_like(wide), wide * thick, thick**1.3], axis=1)[:, None] * rings
    local = _CIRCLE * size[:, :, None, [1, 0, 2]]
    local[..., 1] += (size[..., 0] * shape.trunk[:, None])[..., None]
    local = local * shape.stature[:, None, None, None]
    return np.asarray(
        (local.reshape(len(wide), -1, 3) @ frame[0].mT + frame[1][:, None]).reshape(local.shape)
    )


def _limbs(
    bodies: Bodies, shape: Shape, appearances: list[Appearance], cameras: Cameras, joints: Floats
) -> tuple[Floats, Floats, Floats]:
    """Ends (P, L, 2, 2), mean depths (P, L) and radii in pixels (P, L, 2) of LIMBS."""
    neck = [JOINT_INDEX["thorax"], JOINT_INDEX["head"]]
    start = np.concatenate([joints[:, _STARTS], joints[:, neck[:1]]], axis=1)
    stop = np.concatenate([joints[:, _STOPS], joints[:, neck[1:]]], axis=1)
    skull = bodies.joints[:, JOINT_INDEX["head"]]
    locks = np.array([[0.0, 0.15, -0.45], [0.0, -1.5, -0.75]])
    hang = skull[:, None] + (locks * bodies.head_axes[:, None]) @ bodies.head.mT
    hair = cameras.project(hang)
    start = np.concatenate([start, hair[:, :1]], axis=1)
    stop = np.concatenate([stop, hair[:, 1:]], axis=1)
    girth = np.sqrt(shape.girth)
    size = np.concatenate([_RADII, [[0.031, 0.028], [0.045, 0.034]]])
    metres = size * (shape.stature * girth)[:, None, None]
    for row, appearance in enumerate(appearances):
        metres[row, -1] *= (0.0, 0.0, 1.0, 0.5)[appearance.hair]
    both = np.stack([start, stop], axis=2)
    return (
        both[..., :2],
        both[..., 2].mean(axis=-1),
        metres * cameras.focal[:, None, None] / both[..., 2],
    )


def _skulls(bodies: Bodies, cameras: Cameras, joints: Floats) -> Skulls:
    head = joints[:, JOINT_INDEX["head"]]
    turned = cameras.rotation @ bodies.head * bodies.head_axes[:, None]
    ray = cameras.position - bodies.joints[:, JOINT_INDEX["head"]]
    front = np.einsum("pcd,pc->pd", bodies.head, ray) / bodies.head_axes
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    # Perspective is linearised about the head's centre, where it is exact along the view ray.
    slant = (head[:, :2] - cameras.centre) / cameras.focal[:, None] * np.array([1.0, -1.0])
    turned[:, :2] += slant[..., None] * turned[:, 2:]
    scale = (cameras.focal / head[:, 2])[:, None, None] * np.array([[1.0], [-1.0], [1.0]])
    return Skulls(head[:, :2], turned * scale, front)


def _depths(joints: Floats, limbs: Floats, chest: Floats, pelvis: Floats) -> Floats:
    """The depth (P, BODY_PARTS) of each part, moved a little where parts touch, so that the right
    one is drawn last."""
    depth = np.empty((len(joints), len(BODY_PARTS)))
    depth[:, 6:] = limbs[:, :-2]
    depth[:, PART_INDEX["left_upper_arm"] : PART_INDEX["right_hand"] + 1] -= 0.03
    depth[:, PART_INDEX["chest"]] = chest[..., 2].mean(axis=(1, 2))
    depth[:, PART_INDEX["pelvis"]] = pelvis[..., 2].mean(axis=(1, 2)) - 0.01
    depth[:, PART_INDEX["head"]] = joints[:, JOINT_INDEX["head"], 2]
    covers = np.maximum(depth[:, PART_INDEX["chest"]], depth[:, PART_INDEX["head"]])
    depth[:, PART_INDEX["neck"]] = covers + 0.005
    depth[:, PART_INDEX["hair"]] = limbs[:, -1]
    thighs = depth[:, PART_INDEX["left_thigh"] : PART_INDEX["left_thigh"] + 2]
    depth[:, PART_INDEX["skirt"]] = (
        np.minimum(thighs.min(axis=1), depth[:, PART_INDEX["pelvis"]]) - 0.005
    )
    return depth
