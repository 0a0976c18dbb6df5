"""Result files of other codes on MPII: one pose for every labelled person, in the labels' order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.predictions import Predictions, read_predictions
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats

TOMPSON = {"rank": "right_ankle", "rkne": "right_knee", "rhip": "right_hip", "lhip": "left_hip"}
TOMPSON |= {"lkne": "left_knee", "lank": "left_ankle", "pelv": "pelvis", "thor": "thorax"}
TOMPSON |= {"neck": "upper_neck", "head": "head_top", "rwri": "right_wrist", "relb": "right_elbow"}
TOMPSON |= {"rsho": "right_shoulder", "lsho": "left_shoulder", "lelb": "left_elbow"}
TOMPSON |= {"lwri": "left_wrist"}


def read_results(path: Path, annotations: Annotations) -> Predictions:
    """Predictions in the COCO results format, or one of the foreign files of this module.

    ``.mat`` of HRNet and SimpleBaseline (``preds`` or ``pos_pred_src``), of Tompson et al.'s
    ``detections.mat`` (``keypointsAll``), and ``.h5`` of the hourglass code (``preds``). All of
    them count pixels from 1.

    Raises:
        InputError: no such file, none of these contents, or not one row for each labelled person.
    """
    if path.suffix not in (".mat", ".h5"):
        return read_predictions(path)
    if not path.is_file():
        raise InputError(f"expected predictions at {path}, found no such file; check the path")
    poses = _hourglass(path) if path.suffix == ".h5" else _matlab(path, annotations)
    expected = (annotations.people, len(annotations.skeleton))
    if poses.shape[:2] != expected:
        raise InputError(
            f"expected {expected[0]} poses of {expected[1]} keypoints in {path}, one for each "
            f"labelled person, got {' x '.join(map(str, poses.shape[:2]))}"
        )
    return Predictions(
        annotations.image_ids[annotations.picture_of()],
        np.array(annotations.annotation_ids),
        np.array(poses[..., :2], dtype=np.float64) - 1,
        np.ones(poses.shape[:2]),
        np.ones(len(poses)),
    )


def _hourglass(path: Path) -> Floats:
    import h5py

    with h5py.File(path) as file:
        if "preds" not in file:
            raise InputError(f"expected preds in {path}, got {', '.join(file) or 'nothing'}")
        poses: Floats = file["preds"][:]
    return poses


def _matlab(path: Path, annotations: Annotations) -> Floats:
    from scipy.io import loadmat

    content: dict[str, Any] = loadmat(path)
    if "keypointsAll" in content:
        return _tompson(content, annotations)
    if "pos_pred_src" in content:
        return np.asarray(content["pos_pred_src"]).transpose(2, 0, 1)
    if "preds" in content:
        return np.asarray(content["preds"])
    names = ", ".join(name for name in content if not name.startswith("__"))
    raise InputError(f"expected preds, pos_pred_src or keypointsAll in {path}, got {names}")


def _tompson(content: dict[str, Any], annotations: Annotations) -> Floats:
    """Poses by the joint names that the file gives; far away where it predicts no such joint."""
    names = [TOMPSON[str(name[0])] for name in content["output_joints"].ravel()]
    given = np.stack(list(content["keypointsAll"].ravel()))
    poses = np.full((len(given), len(annotations.skeleton), 2), -1e6)
    for k, name in enumerate(names):
        poses[:, annotations.skeleton.index(name)] = given[:, k]
    return poses
