"""MPII Human Pose (Andriluka et al. 2014): its own .mat, the community's .json, and Tompson's .mat.

Pixels are 1-based in all three. Boxes follow SimpleBaseline (Xiao et al. 2018) without its padding:
the centre moved down by 15·scale, half a side 100·scale, so that a framing's padding of 1.25 gives
their crops. Image ids are the numbers of the file names; annotation ids count the labelled people
of the file from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.formats.person_list import PersonList, boxes_of_scale, table_of_people
from poselab.io.json_text import shortened
from poselab.skeletons import MPII16
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints, Skeleton

BOX_RULE = "centre and scale"
_KEYS = ("image", "joints", "joints_vis", "center", "scale")
_JOINTS = len(MPII16)


def read_json(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of a community ``train.json`` or ``valid.json``; head boxes from ``gt_*.mat``.

    Raises:
        InputError: the file is not of that format.
    """
    entries = _entries(source)
    count = len(skeleton or MPII16)
    joints = _numbers(source, entries, "joints", (count, 2))
    labelled = _numbers(source, entries, "joints_vis", (count,)) > 0
    centre = _numbers(source, entries, "center", (2,))
    scale = _numbers(source, entries, "scale", ())
    names = [str(entry["image"]) for entry in entries]
    labels = PersonList(
        names=names,
        joints=joints,
        visibility=np.where(labelled, 2, 0).astype(np.uint8),
        boxes=_boxes(centre, scale),
        head_boxes=_heads_beside(source, len(entries)),
        box_rule=BOX_RULE,
    )
    return table_of_people(source, "mpii_json", skeleton or MPII16, labels, origin)


def _entries(source: SourceFile) -> list[dict[str, Any]]:
    content = source.json()
    if not isinstance(content, list) or not content:
        raise InputError(
            f"expected a list of people in {source.path}, got "
            f"{'an empty list' if content == [] else 'another shape'}; is it MPII's train.json?"
        )
    for row, entry in enumerate(content):
        missing = [k for k in _KEYS if not isinstance(entry, dict) or k not in entry]
        if missing:
            scored = isinstance(entry, dict) and "score" in entry
            hint = "a detections or predictions file" if scored else "MPII's valid.json"
            raise InputError(
                f"expected `{missing[0]}` of an annotation in entry {row} of {source.path}, found "
                f"none; is it {hint}?"
            )
    return content


def _numbers(source: SourceFile, entries: Any, key: str, shape: tuple[int, ...]) -> Floats:
    """One key of all entries as float64 (M, *shape), or an error for the first wrong entry."""
    try:
        column = np.array([entry[key] for entry in entries], dtype=np.float64)
        if column.shape[1:] == shape:
            return column
    except (TypeError, ValueError):
        pass
    for row, entry in enumerate(entries):
        try:
            fits = np.array(entry[key], dtype=np.float64).shape == shape
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise InputError(
                f"expected `{key}` of shape {shape} in annotation {row + 1} of {source.path}, got "
                f"{shortened(entry[key], 50)}; correct or remove it"
            )
    raise AssertionError(key)


def _boxes(centre: Floats, scale: Floats) -> Floats:
    return boxes_of_scale(centre + np.stack([np.zeros_like(scale), 15 * scale], axis=1), scale)


def _heads_beside(source: SourceFile, instances: int) -> Floats | None:
    """Head boxes of ``gt_valid.mat`` beside ``valid.json``, in the same order of people."""
    for name, content in source.beside.items():
        corners = source.mat(content).get("headboxes_src")
        wanted = (2, 2, instances)
        if corners is None or corners.shape != wanted or corners.dtype.kind not in "biuf":
            raise InputError(
                f"expected headboxes_src of shape (2, 2, {instances}) in {name} beside "
                f"{source.path}, got {getattr(corners, 'shape', 'none')}; fetch both files from "
                "the same source"
            )
        return _corners_to_boxes(corners)
    return None


def _corners_to_boxes(corners: Any) -> Floats:
    """Boxes (M, 4) of MATLAB's corners (2 corners, x and y, M)."""
    low, high = (corners[i].T.astype(np.float64) for i in (0, 1))
    return np.concatenate([low, high - low], axis=1)


def read_tompson(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of Tompson et al.'s ``detections_our_format.mat`` or HRNet's ``gt_valid.mat``.

    It names no images: every person is read as the only one of an unnamed image, numbered from 1.

    Raises:
        InputError: the variables have other shapes.
    """
    content = source.mat()
    joints: Any = content.get("pos_gt_src")
    missing: Any = content.get("jnt_missing")
    heads: Any = content.get("headboxes_src")
    count = joints.shape[-1] if joints is not None else 0
    for name, value, shape in (
        ("pos_gt_src", joints, (_JOINTS, 2, count)),
        ("jnt_missing", missing, (_JOINTS, count)),
        ("headboxes_src", heads, (2, 2, count)),
    ):
        if value is None or value.shape != shape or value.dtype.kind not in "biuf":
            raise InputError(
                f"expected numbers in {name} of shape {shape} in {source.path}, got "
                f"{getattr(value, 'shape', 'none')}; fetch the file again"
            )
    labels = PersonList(
        names=[f"{n}.unknown" for n in range(1, count + 1)],
        joints=joints.transpose(2, 0, 1).astype(np.float64),
        visibility=np.where(missing.T == 0, 2, 0).astype(np.uint8),
        boxes=np.full((count, 4), np.nan),
        head_boxes=_corners_to_boxes(heads),
    )
    return table_of_people(source, "mpii_tompson", skeleton or MPII16, labels, origin)


def read_mat(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``mpii_human_pose_v1_u12_1.mat``: the labelled people of training images.

    Test images, images without labelled people and people without joints are left out.

    Raises:
        InputError: the file is not nested as expected, or no person is labelled.
    """
    release = source.mat(plain=False)["RELEASE"]
    try:
        images = np.atleast_1d(release.annolist)
        training = np.atleast_1d(release.img_train) > 0
        instances = [
            (str(image.image.name), rectangle)
            for image in images[training if training.any() else slice(None)]
            for rectangle in np.atleast_1d(getattr(image, "annorect", []))
            if _points(rectangle)
        ]
        rows = [_person(rectangle) for _, rectangle in instances]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"expected MPII's nesting RELEASE.annolist.annorect.annopoints.point in {source.path}, "
            f"but {error}; fetch the official file again"
        ) from None
    if not rows:
        raise InputError(f"expected people with labelled joints in {source.path}, found none")
    joints, visibility, boxes, heads = (np.stack(column) for column in zip(*rows, strict=True))
    labels = PersonList([name for name, _ in instances], joints, visibility, boxes, heads, BOX_RULE)
    return table_of_people(source, "mpii_mat", skeleton or MPII16, labels, origin)


def _points(rectangle: Any) -> list[Any]:
    """The labelled points of one person; the file has several forms of "none"."""
    points = getattr(getattr(rectangle, "annopoints", None), "point", None)
    return [] if points is None else [p for p in np.atleast_1d(points) if hasattr(p, "id")]


def _person(rectangle: Any) -> tuple[Floats, Ints, Floats, Floats]:
    """Joints (16, 2), visibility (16,), box (4,) and head box (4,) of one person."""
    joints, visibility = np.zeros((_JOINTS, 2)), np.zeros(_JOINTS, np.uint8)
    for point in _points(rectangle):
        joints[int(point.id)] = float(point.x), float(point.y)
        visibility[int(point.id)] = _visibility(getattr(point, "is_visible", None))
    scale: Any = getattr(rectangle, "scale", None)
    place: Any = getattr(rectangle, "objpos", None)
    box = np.full(4, np.nan)
    if hasattr(place, "x") and np.size(scale):
        centre = np.array([[float(place.x), float(place.y)]])
        box = _boxes(centre, np.array([float(scale)]))[0]
    return joints, visibility, box, _head(rectangle)


def _visibility(flag: Any) -> int:
    """1 for an occluded joint, 2 for a visible one and for those (head, neck) without a flag."""
    text = str(flag).strip() if np.size(flag) == 1 else ""
    return 1 if text in ("0", "0.0") else 2


def _head(rectangle: Any) -> Floats:
    corners = [getattr(rectangle, name, None) for name in ("x1", "y1", "x2", "y2")]
    if any(corner is None or np.size(corner) != 1 for corner in corners):
        return np.zeros(4)
    x1, y1, x2, y2 = (float(corner) for corner in corners)  # type: ignore[arg-type]
    return np.array([x1, y1, x2 - x1, y2 - y1])
