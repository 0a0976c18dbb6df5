"""Write generated people in MPII's formats: official .mat, community JSON, and the .mat of PCKh.

All of these count pixels from 1. MPII has no crowds: people in the distance are not labelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.datasets import mpii
from poselab.io.files import replacing, write_json
from poselab.skeletons import MPII16
from poselab.synthetic.visibility import POINT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poselab.datasets.base import SplitFiles
    from poselab.structures import Floats, Size
    from poselab.synthetic.labels import SplitLabels

_ROWS = [POINT_NAMES.index(name) for name in MPII16.keypoints]
_SHORT = (
    *("rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head"),
    *("rwri", "relb", "rsho", "lsho", "lelb", "lwri"),
)


def split_files(out: Path, split: str) -> SplitFiles:
    """The files of a split, train or val."""
    files = mpii.files(out)
    return files.train if split == "train" else files.val


def image_name(image_id: int) -> str:
    """The name of an image file."""
    return f"{image_id:09d}.jpg"


def annotation_files(out: Path) -> tuple[Path, ...]:
    """All annotation files of a dataset: train.json, valid.json, gt_valid.mat, official .mat."""
    files = mpii.files(out)
    train, val = (split.annotations[0] for split in files)
    return train, val, val.with_name(f"gt_{val.stem}.mat"), files.train.unsplit[0]


def write(out: Path, size: Size, labels: dict[str, SplitLabels]) -> None:
    """Write every annotation file, the community's JSON last."""
    del size
    train, val, ground_truth, official = annotation_files(out)
    both = [image for split in ("train", "val") for image in _images(labels[split])]
    _save(official, {"RELEASE": _release(both)})
    _save(ground_truth, _evaluation(labels["val"]))
    for split, file in (("train", train), ("val", val)):
        images = _images(labels[split])
        write_json(file, [_record(name, person) for name, people in images for person in people])


def _save(path: Path, content: dict[str, Any]) -> None:
    from scipy.io import savemat

    with replacing(path) as temporary:
        savemat(temporary, content, do_compression=True, oned_as="row")


def _images(labels: SplitLabels) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The file of each image, and its people who have any joint in it."""
    for image_id, image in labels.items():
        people = [p for p in image["instances"] if any(p["points"][row][2] for row in _ROWS)]
        yield image_name(image_id), people


def _joints(person: dict[str, Any]) -> tuple[Floats, Floats]:
    """Joints (16, 2) counted from 1, and their visibility (16,)."""
    points = np.array([person["points"][row] for row in _ROWS], dtype=float)
    return points[:, :2] + 1.0, points[:, 2]


def _place(person: dict[str, Any]) -> tuple[float, list[float]]:
    """MPII's scale (pixels / 200) and rough position, from 1.

    The position lies 15·scale above the middle, where HRNet's reader moves it back to.
    """
    x, y, w, h = person["box"]
    scale = max(w, h) / 200
    return round(scale, 6), [x + (w - 1) / 2 + 1, round(y + (h - 1) / 2 + 1 - 15 * scale, 4)]


def _record(file: str, person: dict[str, Any]) -> dict[str, Any]:
    joints, visibility = _joints(person)
    scale, centre = _place(person)
    labelled = visibility > 0
    return {
        "image": file,
        "joints": np.round(np.where(labelled[:, None], joints, -1.0), 2).tolist(),
        "joints_vis": labelled.astype(int).tolist(),
        "scale": scale,
        "center": centre,
    }


def _head(person: dict[str, Any]) -> tuple[float, float, float, float]:
    x, y, w, h = person["head_box"]
    return x + 1, y + 1, x + w + 1, y + h + 1


def _evaluation(labels: SplitLabels) -> dict[str, Any]:
    """Ground truth as HRNet's PCKh script reads it: people along the last axis."""
    instances = [person for _, people in _images(labels) for person in people]
    joints = np.zeros((16, 2, len(instances)))
    missing = np.zeros((16, len(instances)), np.uint8)
    heads = np.zeros((2, 2, len(instances)))
    for row, person in enumerate(instances):
        position, visibility = _joints(person)
        missing[:, row] = visibility == 0
        joints[..., row] = np.where(visibility[:, None] > 0, position, 0.0)
        heads[..., row] = np.reshape(_head(person), (2, 2))
    names = np.empty((1, 16), dtype=object)
    names[0] = _SHORT
    return {
        "dataset_joints": names,
        "jnt_missing": missing,
        "pos_gt_src": joints,
        "headboxes_src": heads,
    }


def _structs(rows: list[dict[str, Any]], fields: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """A MATLAB struct array (1, N)."""
    array = np.empty((1, len(rows)), dtype=[(field, object) for field in fields])
    for column, row in enumerate(rows):
        array[0, column] = tuple(row[field] for field in fields)
    return array


def _release(files: list[tuple[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    """The official nesting; all images are labelled, and so all are training images."""
    singles = np.empty((len(files), 1), dtype=object)
    for row, (_, instances) in enumerate(files):
        singles[row, 0] = np.arange(1, len(instances) + 1, dtype=float)[:, None]
    images = [
        {
            "image": {"name": file},
            "annorect": _structs([_rectangle(p) for p in instances], _RECTANGLE),
            "frame_sec": np.zeros((0, 0)),
            "vididx": np.zeros((0, 0)),
        }
        for file, instances in files
    ]
    return {
        "annolist": _structs(images, ("image", "annorect", "frame_sec", "vididx")),
        "img_train": np.ones((1, len(files))),
        "version": "12",
        "single_person": singles,
    }


_RECTANGLE = ("x1", "y1", "x2", "y2", "annopoints", "scale", "objpos")


def _rectangle(person: dict[str, Any]) -> dict[str, Any]:
    joints, visibility = _joints(person)
    scale, (x, y) = _place(person)
    points = [
        {"x": joints[row, 0], "y": joints[row, 1], "id": float(row), "is_visible": float(seen == 2)}
        for row, seen in enumerate(visibility)
        if seen > 0
    ]
    return {
        **dict(zip(_RECTANGLE[:4], _head(person), strict=True)),
        "annopoints": {"point": _structs(points, ("x", "y", "id", "is_visible"))},
        "scale": scale,
        "objpos": {"x": x, "y": y},
    }
