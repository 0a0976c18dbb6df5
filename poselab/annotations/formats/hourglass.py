"""The h5 files of the hourglass code (Newell et al. 2016), for MPII and FLIC.

Pixels are 1-based and floored. For MPII, ``center`` is moved down by 15·scale and ``scale``
enlarged by 1.25, which is undone. ``visible`` is 0 for occluded and missing joints alike; a joint
at (0, 0) is missing. ``normalize`` is the length PCKh measures with, 0.6 of the head box's
diagonal; the table gets a square head box of that diagonal between upper neck and head top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.formats.person_list import PersonList, boxes_of_scale, table_of_people
from poselab.io.array_files import hdf5_arrays
from poselab.skeletons import FLIC11, MPII16
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Skeleton

_GROWN = 1.25
_HEAD_OF_DIAGONAL = 0.6


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of ``annot/valid.h5`` and similar files.

    Raises:
        InputError: the file is not of that format.
    """
    content = _datasets(source)
    joints = content["part"].astype(np.float64)
    skeleton = skeleton or {len(s): s for s in (MPII16, FLIC11)}.get(joints.shape[1])
    if skeleton is None or joints.shape[1:] != (len(skeleton), 2):
        raise InputError(
            f"expected 16 (MPII) or 11 (FLIC) joints in {source.path}, got shape "
            f"{joints.shape}; name the skeleton"
        )
    on_mpii = skeleton.name == MPII16.name
    labelled = (joints != 0).any(axis=2)
    scale = content["scale"].astype(np.float64) / (_GROWN if on_mpii else 1.0)
    labels = PersonList(
        names=_names(source, content),
        joints=joints,
        visibility=np.where(labelled, 1 + (content["visible"] > 0), 0).astype(np.uint8),
        boxes=boxes_of_scale(content["center"].astype(np.float64), scale),
        head_boxes=_heads(joints, content["normalize"]) if on_mpii else None,
        box_rule="centre and scale",
    )
    return table_of_people(source, "hourglass_h5", skeleton, labels, origin)


def _datasets(source: SourceFile) -> dict[str, Any]:
    content = hdf5_arrays(source.path, source.content)
    joints = content["part"].shape[:2] if getattr(content.get("part"), "ndim", 0) == 3 else (0, 0)
    for name, shape in (
        ("part", (*joints, 2)),
        ("visible", joints),
        ("center", (joints[0], 2)),
        ("scale", joints[:1]),
        ("normalize", joints[:1]),
    ):
        found: Any = content.get(name)
        if found is None:
            raise InputError(
                f"expected the dataset {name!r} in {source.path}, found "
                f"{', '.join(content)[:80] or 'none'}; is it an hourglass annotation file?"
            )
        if found.shape != shape or found.dtype.kind not in "biuf":
            raise InputError(
                f"expected numbers of shape {shape or '(people, joints, 2)'} in the dataset "
                f"{name!r} of {source.path}, got {found.dtype} of shape {found.shape}; is it an "
                "hourglass annotation file?"
            )
    return content


def _names(source: SourceFile, content: dict[str, Any]) -> list[str]:
    """The images' files, from ``*_images.txt`` beside the file or from the file itself."""
    count = len(content["part"])
    for name, text in source.beside.items():
        lines = text.decode().split()
        if len(lines) != count:
            raise InputError(
                f"expected {count} names in {name} beside {source.path}, got {len(lines)}; fetch "
                "both files from the same source"
            )
        return lines
    names = content.get("imgname")
    if names is None or names.dtype.kind != "S":
        raise InputError(
            f"expected {source.path.stem}_images.txt beside {source.path}, found none; fetch it too"
        )
    if names.shape != (count,):
        raise InputError(
            f"expected {count} names in the dataset 'imgname' of {source.path}, got shape "
            f"{names.shape}; is it an hourglass annotation file?"
        )
    return [name.decode() for name in names]


def _heads(joints: Floats, normalize: Floats) -> Floats:
    middle = joints[:, [MPII16.index("upper_neck"), MPII16.index("head_top")]].mean(axis=1)
    side = (normalize / _HEAD_OF_DIAGONAL / np.sqrt(2))[:, None]
    return np.concatenate([middle - side / 2, side, side], axis=1)
