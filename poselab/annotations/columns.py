"""From rows of parsed values to typed columns, and from unsorted columns to a table."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.table import Annotations
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.source_file import SourceFile
    from poselab.structures import Floats, Ints, Skeleton

AREA_OF_BOX = 0.53
FARTHEST = 1e6
"""Pixels from an image's corner beyond which no coordinate can be meant."""


class Images(NamedTuple):
    """Columns of images: ids (N,), sizes (N, 2) height and width, names of their files."""

    ids: Ints
    sizes: Ints
    names: Sequence[str]


class People(NamedTuple):
    """Columns of people in the file's order; image (M,) is the row of each one's image."""

    image: Ints
    ids: Ints
    keypoints: Floats
    visibility: Ints
    boxes: Floats
    areas: Floats
    crowd: Any
    head_boxes: Floats | None = None
    recorded: Ints | None = None


class Rules(NamedTuple):
    """Where areas and boxes come from, how many image entries were dropped, people's id."""

    area: str = "annotated"
    box: str = "annotated"
    repeated: int = 0
    category: int = 1


def integers(values: list[Any]) -> Ints:
    """A column of whole numbers; TypeError or OverflowError where one is something else."""
    return np.frombuffer(array("q", values), dtype=np.int64)


def vectors(values: list[Any], length: int) -> Any:
    """An int64 or float64 column (M, length) of number lists; struct.error or TypeError if not.

    Whole numbers pack twice as fast as floats, and COCO's coordinates are whole.
    """
    try:
        return _packed(values, length, "q", np.int64)
    except struct.error:
        return _packed(values, length, "d", np.float64)


def _packed(values: list[Any], length: int, code: str, kind: type) -> Any:
    column: Any = np.empty((len(values), length), kind)
    if not column.size:
        return column
    view, pack, step = memoryview(column).cast("B"), struct.Struct(f"{length}{code}"), 8 * length
    pack_into = pack.pack_into
    for offset, row in zip(range(0, len(values) * step, step), values, strict=True):
        pack_into(view, offset, *row)
    return column


def boxes_around(keypoints: Floats, visibility: Ints) -> Floats:
    """The tightest boxes (M, 4) around labelled keypoints; zeros where there are none."""
    from poselab.geometry import boxes_of_keypoints

    return boxes_of_keypoints(keypoints, visibility > 0)


def labelled_only(keypoints: Floats, visibility: Ints, origin: int) -> Floats:
    """Keypoints as 0-based pixels, zero where not labelled."""
    shifted = keypoints - origin if origin else keypoints
    return np.asarray(np.where(visibility[..., None] > 0, shifted, 0.0), dtype=np.float64)


def rows_of(ids: Ints, wanted: Ints) -> Ints:
    """The row in ``ids`` of every wanted id, -1 where there is none; ids need not be sorted."""
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)
    rows = order[place]
    return np.where(ids[rows] == wanted, rows, -1)


def within(column: Floats, limit: float) -> bool:
    """Whether every number lies within ± ``limit``, which NaN does not."""
    return bool(column.min(initial=0.0) >= -limit and column.max(initial=0.0) <= limit)


def refuse_impossible(source: SourceFile, instances: People) -> None:
    """Refuse NaN, infinity and absurd numbers in what training computes with.

    Raises:
        InputError: naming the first annotation that has one.
    """
    for what, column, limit in (
        ("keypoints", instances.keypoints, FARTHEST),
        ("box", instances.boxes, FARTHEST),
        ("head box", instances.head_boxes, FARTHEST),
        ("area", instances.areas, FARTHEST**2),
    ):
        if column is None or within(column, limit):
            continue
        rows = column.reshape(len(column), -1)
        guilty = int(np.argmin((np.abs(rows) <= limit).all(axis=1)))
        worst = rows[guilty][np.argmin(np.abs(rows[guilty]) <= limit)]
        wanted, found = f"numbers within ±{limit:,.0f}", f"{worst:g}"
        if not np.isfinite(worst):
            wanted, found = "finite numbers", "NaN or infinity"
        raise InputError(
            f"expected {wanted} in {source.path}, got {found} in the {what} of annotation "
            f"{instances.ids[guilty]}; correct or remove that annotation"
        )


def table(
    source: SourceFile,
    layout: str,
    skeleton: Skeleton,
    images: Images,
    instances: People,
    rules: Rules,
) -> Annotations:
    """The table of these images and people, people sorted by image, without regions.

    Raises:
        InputError: nobody has a labelled keypoint, or a coordinate is not finite or absurd.
    """
    refuse_impossible(source, instances)
    _refuse_nobody(source, instances)
    counts = np.bincount(instances.image, minlength=len(images.ids))
    if np.any(np.diff(instances.image) < 0):
        instances = _sorted(instances)
    heads, nothing = instances.head_boxes, np.empty(0, np.int64)
    return Annotations(
        skeleton=skeleton,
        source=str(source.path),
        fingerprint=source.fingerprint,
        image_ids=images.ids,
        sizes=images.sizes.astype(np.int32),
        file_names=np.array([name.encode() for name in images.names], dtype=np.bytes_),
        first_person=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        annotation_ids=instances.ids,
        keypoints=instances.keypoints,
        visibility=instances.visibility,
        boxes=instances.boxes,
        areas=instances.areas,
        crowd=np.asarray(instances.crowd, dtype=bool),
        head_boxes=np.broadcast_to(0.0, (len(instances.ids), 4)) if heads is None else heads,
        mask_rows=nothing,
        mask_ends=nothing,
        mask_bytes=nothing.astype(np.uint8),
        layout=layout,
        area_rule=rules.area,
        box_rule=rules.box,
        recorded_keypoints=instances.recorded,
        repeated=rules.repeated,
        category=rules.category,
    )


def _refuse_nobody(source: SourceFile, instances: People) -> None:
    if not np.any(instances.visibility):
        raise InputError(
            f"expected people with labelled keypoints in {source.path}, found none among "
            f"{len(instances.ids)} annotations; is it the keypoints file of the data set?"
        )


def _sorted(instances: People) -> People:
    order = np.argsort(instances.image, kind="stable")
    columns: list[Any] = [None if column is None else column[order] for column in instances]
    return People(*columns)
