"""Result files of other codes: one pose for every labelled person, in the labels' order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.evaluation.formats.body_segments import joints_of_segments
from poselab.evaluation.predictions import Predictions
from poselab.io.array_files import hdf5_arrays, matlab_variables
from poselab.io.files import read_bytes
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

    Reader = Callable[[Any, dict[str, Any], Annotations], Floats]

TOMPSON = {"rank": "right_ankle", "rkne": "right_knee", "rhip": "right_hip", "lhip": "left_hip"}
TOMPSON |= {"lkne": "left_knee", "lank": "left_ankle", "pelv": "pelvis", "thor": "thorax"}
TOMPSON |= {"neck": "upper_neck", "head": "head_top", "rwri": "right_wrist", "relb": "right_elbow"}
TOMPSON |= {"rsho": "right_shoulder", "lsho": "left_shoulder", "lelb": "left_elbow"}
TOMPSON |= {"lwri": "left_wrist"}

ABSENT = -1e6
"""Where a joint is put that a file has no prediction of: wrong by any measure."""


def read_other_results(path: Path, annotations: Annotations) -> Predictions:
    """Predictions of another code.

    ``.mat`` of HRNet and SimpleBaseline (``preds``), of Tompson et al. (``keypointsAll`` of
    ``detections.mat``, ``pos_pred_src`` of ``detections_our_format.mat``), of the toolkit of
    Yang et al. for LSP, FLIC and PARSE (``pred`` (2, K, N), keypoints or the ends of body
    segments), and ``.h5`` of the hourglass code (``preds``). All of them count pixels from 1, and
    give no scores.
    A file has one pose for each labelled person in the order of their annotation ids, or only for
    those held out for testing.

    Raises:
        InputError: no such file, none of these contents, or not one row for each labelled person.
    """
    poses = _poses(path, annotations)
    instances = _instances_of(path, poses, annotations)
    return Predictions(
        annotations.image_ids[annotations.image_of()[instances]],
        np.asarray(annotations.annotation_ids[instances]),
        np.array(poses[..., :2], dtype=np.float64) - 1,
        np.ones(poses.shape[:2]),
        np.ones(len(poses)),
    )


def _instances_of(path: Path, poses: Floats, annotations: Annotations) -> Ints:
    """The person row of every pose."""
    order = np.argsort(annotations.annotation_ids, kind="stable")
    held_out = annotations.held_out
    testing = order if held_out is None else order[held_out[order]]
    joints = len(annotations.skeleton)
    if poses.ndim == 3 and poses.shape[1] == joints and poses.shape[2] >= 2:
        for rows in (order, testing):
            if len(rows) == len(poses):
                return rows
    counts = " or ".join(str(n) for n in sorted({len(order), len(testing)}, reverse=True))
    raise InputError(
        f"expected {counts} poses of {joints} keypoints in {path}, one for each labelled person "
        f"of {annotations.source}, got {' x '.join(map(str, poses.shape))}; give the annotations "
        "that the file was made for"
    )


def _poses(path: Path, annotations: Annotations) -> Floats:
    """Poses (N, K, 2 or more) in the file's order and pixels."""
    read = hdf5_arrays if path.suffix == ".h5" else matlab_variables
    content = read(path, read_bytes(path, "predictions"))
    for name, pose in _READERS.items():
        if name in content:
            return _as_numbers(pose, name, path, content, annotations)
    names = ", ".join(name for name in content if not name.startswith("__"))
    raise InputError(
        f"expected one of {', '.join(_READERS)} in {path}, got {names or 'nothing'}; is it a "
        "results file?"
    )


def _as_numbers(
    pose: Reader, name: str, path: Path, content: dict[str, Any], annotations: Annotations
) -> Floats:
    """What ``pose`` reads from the array of that name, as float64."""
    try:
        return pose(content[name], content, annotations).astype(np.float64)
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        array = content[name]
        raise InputError(
            f"expected positions of joints as numbers in {name} of {path}, got shape "
            f"{array.shape} of type {shortened(str(array.dtype))}; fetch it again"
        ) from None


def _tompson(given: Any, content: dict[str, Any], annotations: Annotations) -> Floats:
    """Poses by the joint names that the file gives."""
    names = [TOMPSON[str(name[0])] for name in content["output_joints"].ravel()]
    known = np.stack(list(given.ravel()))
    poses = np.full((len(known), len(annotations.skeleton), 2), ABSENT)
    for k, name in enumerate(names):
        if name in annotations.skeleton.keypoints:
            poses[:, annotations.skeleton.index(name)] = known[:, k]
    return poses


def _people_last(given: Any, _: dict[str, Any], __: Annotations) -> Floats:
    """Joints, coordinates, people."""
    return np.asarray(given).transpose(2, 0, 1)


def _people_first(given: Any, _: dict[str, Any], __: Annotations) -> Floats:
    return np.asarray(given)


def _yang(given: Any, _: dict[str, Any], annotations: Annotations) -> Floats:
    """Coordinates, joints or ends of body segments, people."""
    poses = np.asarray(given).transpose(2, 1, 0)
    return joints_of_segments(poses, annotations.skeleton)


_READERS: dict[str, Reader] = {
    "keypointsAll": _tompson,
    "pos_pred_src": _people_last,
    "preds": _people_first,
    "pred": _yang,
}
