"""Image Parse (Ramanan 2006): ``joints`` (2, 14, 305) or its publisher's ``ptsAll`` (14, 2, 305).

All joints are labelled, left before right and person-centric; pixels are 1-based. The first 100
images train, the other 205 test.
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
from poselab.skeletons import PARSE14

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

TRAINING = 100


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``parse-joints.mat`` or the publisher's ``labels.mat``, one person per image.

    Raises:
        InputError: there is no such variable, or it is of another shape.
    """
    skeleton = skeleton or PARSE14
    content = source.mat()
    joints: Any = content.get("joints")
    given: Any = content.get("ptsAll", joints)
    if "ptsAll" in content and given.ndim == 3:
        given = given.swapaxes(0, 1)
    instances = joints_of_variable(given, skeleton, source, "PARSE's")
    names = [f"im{n:04d}.jpg" for n in range(1, len(instances) + 1)]
    table = table_of_people(source, "parse", skeleton, without_boxes(names, instances), origin)
    return replace(table, held_out=np.arange(len(instances)) >= TRAINING)
