"""Tables of the formats that list people, not images: MPII, LSP, FLIC, PARSE."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations import columns
from poselab.annotations.columns import ImageColumns, PersonColumns, Provenance
from poselab.annotations.options import AREA_OF_BOX
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints, Skeleton

HALF_SIDE = 100.0
"""Half the side, in pixels, of the box of scale 1: MPII's scale is the height over 200 pixels."""


class PersonList(NamedTuple):
    """People in the file's order and pixels: names of their images; joints (M, K, 2); visibility
    (M, K); boxes (M, 4), NaN where the file gives none; head_boxes (M, 4) or None."""

    names: Sequence[str]
    joints: Floats
    visibility: Ints
    boxes: Floats
    head_boxes: Floats | None = None
    box_rule: str = "around keypoints"


def without_boxes(names: Sequence[str], joints: Floats) -> PersonList:
    """A list of people of whom only joints (M, K, 2) are known, NaN where not labelled."""
    known = np.isfinite(joints).all(axis=2)
    return PersonList(names, joints, np.where(known, 2, 0), np.full((len(joints), 4), np.nan))


def joints_of_variable(variable: Any, skeleton: Skeleton, source: SourceFile, owner: str) -> Floats:
    """Joints (M, K, 2) of a MATLAB variable (2, K, M).

    Raises:
        InputError: it is missing, or of another shape.
    """
    shape = getattr(variable, "shape", ())
    fits = len(shape) == 3 and shape[:2] == (2, len(skeleton))
    if not fits or variable.dtype.kind not in "biuf":
        raise InputError(
            f"expected joints of shape (2, {len(skeleton)}, people) in {source.path}, got "
            f"{shape or 'none'}; is it {owner} file?"
        )
    joints: Floats = variable.transpose(2, 1, 0).astype(np.float64)
    return joints


def boxes_of_scale(centre: Floats, scale: Floats) -> Floats:
    """Square boxes (M, 4) of 200·scale a side around centres (M, 2)."""
    half = HALF_SIDE * scale[:, None]
    with np.errstate(invalid="ignore"):  # infinity is reported later, with its annotation
        return np.concatenate([centre - half, 2 * half, 2 * half], axis=1)


def table_of_people(
    source: SourceFile, layout: str, skeleton: Skeleton, listed: PersonList, origin: int
) -> Annotations:
    """The table of people numbered from 1, in images in the order of their first person.

    Areas are 0.53 of the box around the keypoints.

    Raises:
        InputError: a coordinate is not finite, or no person is labelled.
    """
    unique: dict[str, int] = {}
    image = np.array([unique.setdefault(name, len(unique)) for name in listed.names], np.int64)
    keypoints = columns.labelled_only(listed.joints, listed.visibility, origin)
    tight = columns.boxes_around(keypoints, listed.visibility)
    shift = np.array([origin, origin, 0, 0])
    absent = np.asarray(np.isnan(listed.boxes).all(axis=1))
    heads = listed.head_boxes
    people = PersonColumns(
        image=image,
        ids=np.arange(1, len(listed.names) + 1),
        keypoints=keypoints,
        visibility=listed.visibility,
        boxes=np.where(absent[:, None], tight, listed.boxes - shift),
        areas=tight[:, 2] * tight[:, 3] * AREA_OF_BOX,
        crowd=np.zeros(len(listed.names), bool),
        head_boxes=None if heads is None else np.where(heads[:, 2:3] > 0, heads - shift, 0.0),
    )
    provenance = Provenance(area="0.53 box around keypoints", box=listed.box_rule)
    return columns.build_table(source, layout, skeleton, _images(list(unique)), people, provenance)


def _images(names: list[str]) -> ImageColumns:
    """Images whose ids are the numbers in their names, or else 1, 2, …"""
    stems = [PurePosixPath(name).stem for name in names]
    numbers = [int(stem) for stem in stems if stem.isdecimal() and len(stem) < 19]
    if len(set(numbers)) < len(names):
        numbers = list(range(1, len(names) + 1))
    return ImageColumns(np.array(numbers, np.int64), np.zeros((len(names), 2), np.int32), names)
