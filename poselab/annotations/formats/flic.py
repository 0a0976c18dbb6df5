"""Frames Labeled In Cinema (Sapp and Taskar 2013) as MATLAB files; pixels are 1-based.

``joints`` (2, 10, people) holds the test people of Yang et al. 2016 with a neck between the
shoulders, and names no images: every person is read as the only one of an unnamed image. The
publisher's ``examples`` (elsewhere ``flic_anno``) holds all people with 29 columns for joints,
eleven of them labelled, and which people are of the test split. The h5 files of the hourglass code
are read in :mod:`poselab.annotations.formats.hourglass`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.formats.person_list import (
    joints_of_variable,
    table_of_people,
    without_boxes,
)
from poselab.skeletons import FLIC10, FLIC11
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

JOINT_INDEX = {
    "left": {"shoulder": 0, "elbow": 1, "wrist": 2, "hip": 6, "eye": 12},
    "right": {"shoulder": 3, "elbow": 4, "wrist": 5, "hip": 9, "eye": 13},
}
"""Columns of the labelled joints among the 29 of ``coords``; the nose is at 16."""
_NOSE = 16


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of a test file of ten joints, or of the publisher's with eleven.

    Raises:
        InputError: it is neither.
    """
    content = source.mat()
    records: Any = content.get("examples", content.get("flic_anno"))
    if records is not None:
        return _published(source, skeleton or FLIC11, records.ravel(), origin)
    skeleton = skeleton or FLIC10
    instances = joints_of_variable(content.get("joints"), skeleton, source, "a FLIC")
    names = [f"{n}.unknown" for n in range(1, len(instances) + 1)]
    return table_of_people(source, "flic", skeleton, without_boxes(names, instances), origin)


def _published(source: SourceFile, skeleton: Skeleton, records: Any, origin: int) -> Annotations:
    try:
        names = [str(record["filepath"].item()) for record in records]
        coords = np.stack([record["coords"] for record in records]).astype(np.float64)
        testing = np.array([bool(record["istest"].item()) for record in records])
        joints = coords.transpose(0, 2, 1)[:, [_place(name) for name in skeleton.keypoints]]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"expected FLIC's fields filepath, coords and istest in {source.path}, but {error}; "
            "fetch the official file again"
        ) from None
    table = table_of_people(source, "flic", skeleton, without_boxes(names, joints), origin)
    return replace(table, held_out=testing[table.annotation_ids - 1])


def _place(keypoint: str) -> int:
    side, _, part = keypoint.partition("_")
    return _NOSE if keypoint == "nose" else JOINT_INDEX[side][part]
