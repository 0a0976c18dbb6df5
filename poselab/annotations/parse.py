"""Image Parse (Ramanan 2006): ``joints`` (2, 14, 305) or its publisher's ``ptsAll`` (14, 2, 305).

All joints are labelled, left before right and person-centric; pixels are 1-based. The first 100
pictures train, the other 205 test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.single import people_table, unboxed
from poselab.skeletons import PARSE14
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source import Source
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

TRAINING = 100


def read(source: Source, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``parse-joints.mat`` or the publisher's ``labels.mat``, one person a picture.

    Raises:
        InputError: neither variable is there in its shape.
    """
    skeleton = skeleton or PARSE14
    content = source.mat()
    joints: Any = content.get("joints")
    given: Any = content["ptsAll"].swapaxes(0, 1) if "ptsAll" in content else joints
    if given is None or given.ndim != 3 or given.shape[:2] != (2, len(skeleton)):
        raise InputError(
            f"expected joints of shape (2, {len(skeleton)}, people) in {source.path}, got "
            f"{getattr(given, 'shape', 'none')}; is it PARSE's file?"
        )
    people = given.transpose(2, 1, 0).astype(np.float64)
    names = [f"im{n:04d}.jpg" for n in range(1, len(people) + 1)]
    table = people_table(source, "parse", skeleton, unboxed(names, people), origin)
    return replace(table, held_out=np.arange(len(people)) >= TRAINING)
