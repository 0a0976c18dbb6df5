"""Where the labelled points of a body lie on the image, and which of them can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.skeletons import COCO17, MPII16
from poselab.synthetic.body import JOINT
from poselab.synthetic.canvas import STRIDE
from poselab.synthetic.figure import PARTS
from poselab.synthetic.heads import EARS, EYES, NOSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.structures import Floats, Ints
    from poselab.synthetic.figure import Figures

NAMED = (*COCO17.keypoints, *(name for name in MPII16.keypoints if name not in COCO17.keypoints))

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_FACE_POINTS = np.concatenate([[NOSE], EYES, EARS])
# A point of the skull shows while its direction turns at most this far from the camera: the nose
# stands out, and so do ears, seen from behind as well.
_FACE_MIDDLES = _FACE_POINTS / np.linalg.norm(_FACE_POINTS, axis=1, keepdims=True)
_FACE_LEAST = np.array([-0.05, 0.05, 0.05, -0.1, -0.1])
_BODY = [JOINT[name] for name in NAMED[len(_FACE) :]]

# The parts that may be on top of a point that is seen; {} stands for its side.
_HOLDERS = {
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


def _holders() -> NDArray[np.bool_]:
    """Which parts, bare or clothed, may show a point: (N, STRIDE) bool."""
    table = np.zeros((len(NAMED), STRIDE), dtype=bool)
    for row, name in enumerate(NAMED):
        side, _, joint = name.rpartition("_") if name not in _HOLDERS else ("", "", name)
        for part in _HOLDERS[joint]:
            column = PARTS.index(part.format(side))
            table[row, [column, column + len(PARTS)]] = True
    return table


_TABLE = _holders()
_ROOTED = [NAMED.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("left", "right")]
_ROOTED_JOINTS = [JOINT[NAMED[row]] for row in _ROOTED]
# Metres behind the trunk's middle, two thirds of what it is in profile.
_LEAST_BEHIND = np.array([0.11, 0.11, 0.06, 0.06])
_ROOTS = [JOINT["thorax"], JOINT["thorax"], JOINT["pelvis"], JOINT["pelvis"]]


def points_of(instances: Figures) -> Floats:
    """The labelled points (P, N, 2) in pixels, in the order of :data:`NAMED`."""
    face = instances.skulls.surface(_FACE_POINTS)
    return np.concatenate([face, instances.joints[:, _BODY, :2]], axis=1)


def visible_points(points: Floats, near: NDArray[np.bool_], ids: NDArray[np.int16]) -> Ints:
    """Visibility (P, N) of one image's people: 0 outside the image, 1 hidden, 2 seen.

    A point is seen where it is ``near`` and the part on top of it is one that holds it.
    """
    height, width = ids.shape
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    column = np.rint(np.where(inside, x, 0)).astype(int)
    row = np.rint(np.where(inside, y, 0)).astype(int)
    top = ids[row, column].astype(int) - 1
    own = top // STRIDE == np.arange(len(points))[:, None]
    seen = own & near & _TABLE[np.arange(len(NAMED)), top % STRIDE]
    return np.where(inside, 1 + seen, 0)


def near_points(instances: Figures) -> NDArray[np.bool_]:
    """Which points (P, N) no part that holds them hides.

    A shoulder or hip has to lie on the near side of the trunk, a point of the face on the near
    side of the skull.
    """
    near = np.ones((len(instances.joints), len(NAMED)), dtype=bool)
    near[:, : len(_FACE)] = instances.skulls.front @ _FACE_MIDDLES.T > _FACE_LEAST
    joints = instances.joints
    behind = joints[:, _ROOTED_JOINTS, 2] - joints[:, _ROOTS, 2]
    near[:, _ROOTED] = behind < _LEAST_BEHIND
    return near
