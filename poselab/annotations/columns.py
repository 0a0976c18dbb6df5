"""From lists of parsed values to typed columns, and from columns to a table."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.annotations.table import Annotations
from poselab.io.json_text import shortened
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.source_file import SourceFile
    from poselab.structures import Floats, Ints, Skeleton

MAX_COORDINATE = 1e6
"""Pixels; larger coordinates are errors of the file."""
MAX_SIDE = 65_535
"""Pixels of an image's side, as in JPEG; COCO's run-lengths count the pixels in 32 bits."""
MAX_NAME = 1024
"""Characters of a file name with its folders, as on macOS; one longer name would widen them all."""


class ImageColumns(NamedTuple):
    """Columns of images: ids (N,), sizes (N, 2) height and width, names of their files."""

    ids: Ints
    sizes: Ints
    names: Sequence[str]


class PersonColumns(NamedTuple):
    """Columns of people in the file's order; image (M,) is the row of each person's image."""

    image: Ints
    ids: Ints
    keypoints: Floats
    visibility: Ints
    boxes: Floats
    areas: Floats
    crowd: Any
    head_boxes: Floats | None = None
    recorded_keypoints: Ints | None = None
    category_ids: Ints | None = None


class Provenance(NamedTuple):
    """Where areas and boxes come from, how many repeated images were dropped, and the category ids
    of people."""

    area: str = "annotated"
    box: str = "annotated"
    repeated: int = 0
    categories: tuple[int, ...] = (1,)


def integer_column(values: list[Any]) -> Ints:
    """A column of whole numbers; raises TypeError or OverflowError for other values."""
    return np.frombuffer(array("q", values), dtype=np.int64)


def vector_column(values: list[Any], length: int) -> Any:
    """A column (M, length), int64 or float64; raises struct.error or TypeError for other lists.

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
    """The tightest boxes (M, 4) around labelled keypoints; zeros where none is labelled."""
    from poselab.geometry import boxes_of_keypoints

    return boxes_of_keypoints(keypoints, visibility > 0)


def labelled_only(keypoints: Floats, visibility: Ints, origin: int) -> Floats:
    """Keypoints as 0-based pixels, zero where not labelled."""
    shifted = keypoints - origin if origin else keypoints
    return np.asarray(np.where(visibility[..., None] > 0, shifted, 0.0), dtype=np.float64)


def rows_of(ids: Ints, wanted: Ints) -> Ints:
    """The row in ``ids``, sorted or not, of each of the ``wanted``, -1 for absent ones."""
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)
    rows = order[place]
    return np.where(ids[rows] == wanted, rows, -1)


def all_within(column: Floats, limit: float) -> bool:
    """Whether every number lies within ± ``limit``; NaN does not."""
    return bool(column.min(initial=0.0) >= -limit and column.max(initial=0.0) <= limit)


def check_numbers(source: SourceFile, people: PersonColumns) -> None:
    """Check that keypoints, boxes and areas are finite and within range.

    Raises:
        InputError: one is not; the message names the first such annotation.
    """
    for what, column, limit in (
        ("keypoints", people.keypoints, MAX_COORDINATE),
        ("box", people.boxes, MAX_COORDINATE),
        ("head box", people.head_boxes, MAX_COORDINATE),
        ("area", people.areas, MAX_COORDINATE**2),
    ):
        if column is None or all_within(column, limit):
            continue
        rows = column.reshape(len(column), -1)
        row = int(np.argmin((np.abs(rows) <= limit).all(axis=1)))
        value = rows[row][np.argmin(np.abs(rows[row]) <= limit)]
        expected, got = f"numbers within ±{limit:,.0f}", f"{value:g}"
        if not np.isfinite(value):
            expected, got = "finite numbers", "NaN or infinity"
        raise InputError(
            f"expected {expected} in {source.path}, got {got} in the {what} of annotation "
            f"{people.ids[row]}; correct or remove that annotation"
        )


def check_images(source: SourceFile, images: ImageColumns) -> None:
    """Check that sizes and file names are possible.

    Raises:
        InputError: one is not; the message names the first such image.
    """
    wrong = ((images.sizes < 0) | (images.sizes > MAX_SIDE)).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"expected a height and width of 1 to {MAX_SIDE:,} pixels (0: not known) of image "
            f"{images.ids[row]} in {source.path}, got {images.sizes[row, 0]} and "
            f"{images.sizes[row, 1]}; correct them"
        )
    for number, name in zip(images.ids, images.names, strict=True):
        ordinary = 0 < len(name) <= MAX_NAME and name.isprintable()
        if not ordinary and (reason := _wrong_name(name)):
            raise InputError(
                f"expected a file name for image {number} in {source.path}, got {reason}; "
                "correct it"
            )


def _wrong_name(name: str) -> str:
    if not name:
        return "an empty text"
    if len(name) > MAX_NAME:
        return f"{len(name):,} characters ({shortened(name, 40)})"
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        return f"characters that no file name has ({shortened(name, 60)})"
    return ""


def build_table(
    source: SourceFile,
    layout: str,
    skeleton: Skeleton,
    images: ImageColumns,
    people: PersonColumns,
    provenance: Provenance,
) -> Annotations:
    """The table of these images and people, people sorted by image, without regions.

    Raises:
        InputError: no person has a labelled keypoint, a number is not finite or out of range, or
            an image's size or name is impossible.
    """
    check_images(source, images)
    check_numbers(source, people)
    _check_any_labelled(source, people)
    counts = np.bincount(people.image, minlength=len(images.ids))
    if np.any(np.diff(people.image) < 0):
        people = _sorted_by_image(people)
    heads, nothing = people.head_boxes, np.empty(0, np.int64)
    return Annotations(
        skeleton=skeleton,
        source=str(source.path),
        fingerprint=source.fingerprint,
        image_ids=images.ids,
        sizes=images.sizes.astype(np.int32),
        # Windows writes \\ between folders.
        file_names=np.array([n.replace("\\", "/").encode() for n in images.names], np.bytes_),
        first_person=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        annotation_ids=people.ids,
        keypoints=people.keypoints,
        visibility=people.visibility,
        boxes=people.boxes,
        areas=people.areas,
        crowd=np.asarray(people.crowd, dtype=bool),
        head_boxes=np.broadcast_to(0.0, (len(people.ids), 4)) if heads is None else heads,
        mask_rows=nothing,
        mask_ends=nothing,
        mask_bytes=nothing.astype(np.uint8),
        layout=layout,
        area_rule=provenance.area,
        box_rule=provenance.box,
        recorded_keypoints=people.recorded_keypoints,
        repeated=provenance.repeated,
        categories=provenance.categories,
        category_ids=people.category_ids,
    )


def _check_any_labelled(source: SourceFile, people: PersonColumns) -> None:
    if not np.any(people.visibility):
        raise InputError(
            f"expected people with labelled keypoints in {source.path}, found none among "
            f"{len(people.ids)} annotations; is it the keypoints file of the dataset?"
        )


def _sorted_by_image(people: PersonColumns) -> PersonColumns:
    order = np.argsort(people.image, kind="stable")
    columns: list[Any] = [None if column is None else column[order] for column in people]
    return PersonColumns(*columns)
