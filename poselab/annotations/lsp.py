"""Leeds Sports Pose Extended (Johnson and Everingham 2011): ``joints.mat`` of 14 × 3 × people.

Picture n is ``im{n:05d}.jpg``, pixels are 1-based, boxes lie around the labelled joints. There is
no official test split: take ``table.select(slice(-500, None))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poselab.annotations.single import Labels, people_table
from poselab.skeletons import LSP14
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source import Source
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton


def read(source: Source, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``joints.mat``, one person a picture; the third row says what is labelled.

    Raises:
        InputError: it has another shape.
    """
    skeleton = skeleton or LSP14
    joints = source.mat().get("joints")
    if joints is None or joints.ndim != 3 or joints.shape[:2] != (len(skeleton), 3):
        raise InputError(
            f"expected joints of shape ({len(skeleton)}, 3, people) in {source.path}, got "
            f"{getattr(joints, 'shape', 'none')}; is it the extended set's joints.mat?"
        )
    people = joints.transpose(2, 0, 1)
    labels = Labels(
        names=[f"im{n:05d}.jpg" for n in range(1, len(people) + 1)],
        joints=people[..., :2].astype(np.float64),
        visible=np.where(people[..., 2] > 0, 2, 0).astype(np.uint8),
        boxes=np.full((len(people), 4), np.nan),
    )
    return people_table(source, "lsp", skeleton, labels, origin)
