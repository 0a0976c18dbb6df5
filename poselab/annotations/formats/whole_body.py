"""COCO-WholeBody (Jin et al. 2020): COCO's file with feet, face and hands in further fields.

The layout "coco" reads COCO's 17 keypoints from the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poselab.annotations.formats import coco
from poselab.io.json_text import shortened
from poselab.skeletons import WHOLEBODY133
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Skeleton

PARTS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21}
PARTS |= {"righthand_kpts": 21}


def has_parts(text: bytes) -> bool:
    """Whether a COCO file has the fields of the parts."""
    return b'"foot_kpts"' in text


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of all 133 keypoints; a part that an annotation lacks is not labelled.

    A person with any labelled keypoint counts as labelled, as in the authors' evaluation:
    ``num_keypoints``, which counts only those of the body, is not read.

    Raises:
        InputError: as for COCO's format.
    """
    content = source.json()
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        try:
            content["annotations"] = [joined(entry) for entry in content["annotations"]]
        except InputError as error:
            raise InputError(f"{error} of {source.path}; correct it") from None
    return coco.table_of(source, content, "coco_wholebody", (skeleton or WHOLEBODY133, origin))


def joined(entry: Any) -> Any:
    """The entry with the keypoints of all parts in one list; other entries as they are.

    Raises:
        InputError: a part is no list.
    """
    if not isinstance(entry, dict) or "foot_kpts" not in entry:
        return entry
    keypoints: list[Any] = []
    for part, count in PARTS.items():
        given = entry.get(part) or [0] * (3 * count)
        if not isinstance(given, list):
            raise InputError(
                f"expected `{part}` as a list of numbers, got {shortened(given, 40)} in annotation "
                f"{shortened(entry.get('id'), 20)}"
            )
        keypoints += given
    return {k: v for k, v in entry.items() if k != "num_keypoints"} | {"keypoints": keypoints}
