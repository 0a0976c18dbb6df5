"""Where the labelled points of a body lie in the image, and which of them are visible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.skeletons import COCO17, MPII16
from poselab.synthetic.body import JOINT_INDEX
from poselab.synthetic.canvas import STRIDE
from poselab.synthetic.heads import EARS, EYES, NOSE
from poselab.synthetic.projection import BODY_PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Ints
    from poselab.synthetic.projection import ProjectedBodies

POINT_NAMES = (
    *COCO17.keypoints,
    *(name for name in MPII16.keypoints if name not in COCO17.keypoints),
)

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_FACE_POINTS = np.concatenate([[NOSE], EYES, EARS])
# Least cosine between a point's direction from the skull's centre and the camera at which it is
# visible: nose and ears stand out, so that ears are visible from behind, too.
_FACE_MIDDLES = _FACE_POINTS / np.linalg.norm(_FACE_POINTS, axis=1, keepdims=True)
_FACE_LEAST = np.array([-0.05, 0.05, 0.05, -0.1, -0.1])
_BODY = [JOINT_INDEX[name] for name in POINT_NAMES[len(_FACE) :]]

# The parts that may be on top of a visible point; {} stands for its side.
_PARTS_AT = {
    **dict.fromkeys(_FACE, ("head",)),
    "shoulder": ("{}_upper_arm", "chest"),
    "elbow": ("{}_upper_arm", "{}_forearm"),
    "wrist": ("{}_forearm", "{}_hand"),
    "hip": ("pelvis", "{}_thigh", "chest", "skirt"),
    "knee": ("{}_thigh", "{}_shank"),
    "ankle": ("{}_shank", "{}_foot"),
    "pelvis": ("pelvis", "chest", "skirt"),
    "thorax": ("chest", "neck"),
    "upper_neck": ("neck", "head"),
    "head_top": ("head",),
}


def _parts_at_points() -> NDArray[np.bool_]:
    """Which parts, bare or clothed, may be on top of a visible point: (N, STRIDE) bool."""
    table = np.zeros((len(POINT_NAMES), STRIDE), dtype=bool)
    for row, name in enumerate(POINT_NAMES):
        side, _, joint = name.rpartition("_") if name not in _PARTS_AT else ("", "", name)
        for part in _PARTS_AT[joint]:
            column = BODY_PARTS.index(part.format(side))
            table[row, [column, column + len(BODY_PARTS)]] = True
    return table


_TABLE = _parts_at_points()
_ROOTED = [POINT_NAMES.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("left", "right")]
_ROOTED_JOINTS = [JOINT_INDEX[POINT_NAMES[row]] for row in _ROOTED]
# Metres behind the trunk's middle, two thirds of what it is in profile.
_LEAST_BEHIND = np.array([0.11, 0.11, 0.06, 0.06])
_ROOTS = [
    JOINT_INDEX["thorax"],
    JOINT_INDEX["thorax"],
    JOINT_INDEX["pelvis"],
    JOINT_INDEX["pelvis"],
]


def labelled_points(bodies: ProjectedBodies) -> Floats:
    """The labelled points (P, N, 2) in pixels, in the order of :data:`POINT_NAMES`."""
    face = bodies.skulls.surface(_FACE_POINTS)
    return np.concatenate([face, bodies.joints[:, _BODY, :2]], axis=1)


def visible_points(points: Floats, near: NDArray[np.bool_], ids: NDArray[np.int16]) -> Ints:
    """Visibility (P, N) of one image's people: 0 outside the image, 1 occluded, 2 visible.

    A point is visible if it is on the near side of its part (``near``) and that part is on top.
    """
    height, width = ids.shape
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    column = np.rint(np.where(inside, x, 0)).astype(int)
    row = np.rint(np.where(inside, y, 0)).astype(int)
    top = ids[row, column].astype(int) - 1
    own = top // STRIDE == np.arange(len(points))[:, None]
    seen = own & near & _TABLE[np.arange(len(POINT_NAMES)), top % STRIDE]
    return np.where(inside, 1 + seen, 0)


def on_near_side(bodies: ProjectedBodies) -> NDArray[np.bool_]:
    """Which points (P, N) their own part does not occlude.

    A shoulder or hip must lie on the near side of the trunk, a point of the face on the near side
    of the skull.
    """
    near = np.ones((len(bodies.joints), len(POINT_NAMES)), dtype=bool)
    near[:, : len(_FACE)] = bodies.skulls.front @ _FACE_MIDDLES.T > _FACE_LEAST
    joints = bodies.joints
    behind = joints[:, _ROOTED_JOINTS, 2] - joints[:, _ROOTS, 2]
    near[:, _ROOTED] = behind < _LEAST_BEHIND
    return near
