"""Tables of the files that list people, not images: MPII, LSP, FLIC."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import columns
from poselab.annotations.columns import Images, People, Rules
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints, Skeleton

SIDE = 100.0
"""Half the side of the box of a person of scale 1: MPII's scale is the height over 200 pixels."""


class Labels(NamedTuple):
    """People in the file's order and pixels: names of their images, joints (M, K, 2), visible
    (M, K), boxes (M, 4) with NaN where the file gives none, head_boxes (M, 4) or None."""

    names: Sequence[str]
    joints: Floats
    visibility: Ints
    boxes: Floats
    head_boxes: Floats | None = None
    box_rule: str = "around keypoints"


def unboxed(names: Sequence[str], joints: Floats) -> Labels:
    """Labels of people who have nothing but joints (M, K, 2), NaN where one is not labelled."""
    known = np.isfinite(joints).all(axis=2)
    return Labels(names, joints, np.where(known, 2, 0), np.full((len(joints), 4), np.nan))


def joints_alone(variable: Any, skeleton: Skeleton, source: SourceFile, whose: str) -> Floats:
    """Joints (M, K, 2) of the MATLAB variable (2, K, M) that is all a file has of its people.

    Raises:
        InputError: it is missing, or of another shape.
    """
    shape = getattr(variable, "shape", ())
    if len(shape) != 3 or shape[:2] != (2, len(skeleton)):
        raise InputError(
            f"expected joints of shape (2, {len(skeleton)}, people) in {source.path}, got "
            f"{shape or 'none'}; is it {whose} file?"
        )
    joints: Floats = variable.transpose(2, 1, 0).astype(np.float64)
    return joints


def boxes_of_scale(centre: Floats, scale: Floats) -> Floats:
    """Square boxes (M, 4) of 200·scale a side around centres (M, 2)."""
    half = SIDE * scale[:, None]
    with np.errstate(invalid="ignore"):  # infinity is refused later, with its annotation's name
        return np.concatenate([centre - half, 2 * half, 2 * half], axis=1)


def people_table(
    source: SourceFile, layout: str, skeleton: Skeleton, labels: Labels, origin: int
) -> Annotations:
    """The table of people numbered from 1, in images in the order of their first person.

    Areas are 0.53 of the box around the keypoints.

    Raises:
        InputError: a coordinate is not finite, or nobody is labelled.
    """
    unique: dict[str, int] = {}
    image = np.array([unique.setdefault(name, len(unique)) for name in labels.names], np.int64)
    keypoints = columns.labelled_only(labels.joints, labels.visibility, origin)
    tight = columns.boxes_around(keypoints, labels.visibility)
    shift = np.array([origin, origin, 0, 0])
    absent = np.asarray(np.isnan(labels.boxes).all(axis=1))
    heads = labels.head_boxes
    instances = People(
        image=image,
        ids=np.arange(1, len(labels.names) + 1),
        keypoints=keypoints,
        visibility=labels.visibility,
        boxes=np.where(absent[:, None], tight, labels.boxes - shift),
        areas=tight[:, 2] * tight[:, 3] * columns.AREA_OF_BOX,
        crowd=np.zeros(len(labels.names), bool),
        head_boxes=None if heads is None else np.where(heads[:, 2:3] > 0, heads - shift, 0.0),
    )
    rules = Rules(area="0.53 box around keypoints", box=labels.box_rule)
    return columns.table(source, layout, skeleton, _images(list(unique)), instances, rules)


def _images(names: list[str]) -> Images:
    """Images whose ids are the numbers of their names, or else count from 1."""
    stems = [PurePosixPath(name).stem for name in names]
    numbers = [int(stem) for stem in stems if stem.isdecimal() and len(stem) < 19]
    if len(set(numbers)) < len(names):
        numbers = list(range(1, len(names) + 1))
    return Images(np.array(numbers, np.int64), np.zeros((len(names), 2), np.int32), names)
