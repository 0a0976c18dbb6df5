"""Leeds Sports Pose, ``joints.mat``: the 2,000 people and the extended set of 10,000.

Johnson and Everingham 2010 and 2011; pixels are 1-based, boxes lie around the labelled joints. The
third row means different things in the two sets. In the 2,000 every joint is labelled and 1 means
occluded; the last 1,000 images ``im{n:04d}.jpg`` are the test split. In the extended set 1 means
labelled; its images are ``im{n:05d}.jpg`` and it has no official test split: take
``table.select(slice(-500, None))``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.formats.person_list import PersonList, table_of_people
from poselab.skeletons import LSP14
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Skeleton

PEOPLE = 2000
TRAINING = 1000


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``joints.mat``, one person per image, for either order of its first two axes.

    Raises:
        InputError: it has another shape.
    """
    skeleton = skeleton or LSP14
    instances = _people(source, len(skeleton))
    whole_set = len(instances) == PEOPLE
    digits = 4 if whole_set else 5
    flags = instances[..., 2] > 0
    labels = PersonList(
        names=[f"im{n:0{digits}d}.jpg" for n in range(1, len(instances) + 1)],
        joints=instances[..., :2].astype(np.float64),
        visibility=np.where(flags, 1 if whole_set else 2, 2 if whole_set else 0).astype(np.uint8),
        boxes=np.full((len(instances), 4), np.nan),
    )
    table = table_of_people(source, "lsp", skeleton, labels, origin)
    return replace(table, held_out=np.arange(PEOPLE) >= TRAINING) if whole_set else table


def _people(source: SourceFile, joints: int) -> Floats:
    """Positions and flags (people, joints, 3)."""
    content: Any = source.mat().get("joints")
    if content is not None and content.ndim == 3 and content.dtype.kind in "biuf":
        if content.shape[:2] == (joints, 3):
            return np.asarray(content.transpose(2, 0, 1))
        if content.shape[:2] == (3, joints):
            return np.asarray(content.transpose(2, 1, 0))
    raise InputError(
        f"expected joints of shape ({joints}, 3, people) or (3, {joints}, people) in "
        f"{source.path}, got {getattr(content, 'shape', 'none')}; is it the joints.mat of LSP?"
    )
