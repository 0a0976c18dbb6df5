"""The COCO keypoints format (Lin et al. 2014), in which most datasets are published.

Pixels are 0-based. Repeated images are dropped if their entries agree. A missing ``area`` is 0.53
of the box (the rule of CrowdPose's and AI Challenger's evaluation), a missing ``bbox`` the tightest
one around the keypoints. ``head_box`` (x, y, width, height), which COCO itself does not have, is
read where one of the first annotations has it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations import columns
from poselab.annotations.columns import ImageColumns, PersonColumns, Provenance
from poselab.annotations.formats.coco_category import (
    categories_of_people,
    skeleton_of_category,
)
from poselab.annotations.formats.json_columns import (
    Entries,
    check_objects,
    integer_key,
    number_key,
    range_key,
    read_column,
    text_key,
    vector_key,
)
from poselab.annotations.masks import record
from poselab.annotations.options import AREA_OF_BOX
from poselab.io.json_text import shortened
from poselab.skeletons import WHOLEBODY133
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.source_file import SourceFile
    from poselab.annotations.table import Annotations
    from poselab.structures import Ints, Skeleton

ID = integer_key("id")
IMAGE_ID = integer_key("image_id")
CATEGORY_ID = integer_key("category_id")
FILE_NAME = text_key("file_name", "a path")
SIDES = tuple(range_key(side, 0, columns.MAX_SIDE) for side in ("height", "width"))
CROWD = range_key("iscrowd", 0, 1)
LABELLED = range_key("num_keypoints", -1, 1 << 31)
AREA = number_key("area")
BOX = vector_key("bbox", "x, y, width, height", 4)
HEAD_BOX = vector_key("head_box", "x, y, width, height", 4)
"""All keys that are read, with their types and ranges; `keypoints` depends on the category."""

_ABSENT_BOX = [0.0] * 4
_SAMPLE = 100  # annotations that are searched for the key head_box


def read(source: SourceFile, skeleton: Skeleton | None, origin: int) -> Annotations:
    """The table of a COCO keypoints file.

    Raises:
        InputError: the file is not of that format, or its values are impossible; the message names
            the first such annotation.
    """
    return table_of(source, source.json(), "coco", (skeleton, origin))


def table_of(
    source: SourceFile, content: Any, layout: str, form: tuple[Skeleton | None, int]
) -> Annotations:
    """The table of a COCO file's parsed ``content``; ``form`` is (skeleton or None, origin).

    Raises:
        InputError: as :func:`read` says.
    """
    wanted, origin = form
    listed, entries, used = _sections(source, content)
    images, repeated = _images(source, listed)
    skeleton = skeleton_of_category(source.path, used[0], entries, wanted)
    people, provenance = _people(source, entries, images, (len(skeleton), origin))
    ids = tuple(category.get("id", 1) for category in used)
    provenance = provenance._replace(repeated=repeated, categories=ids)
    if len(ids) > 1:
        people = people._replace(category_ids=read_column(source, entries, CATEGORY_ID))
    table = columns.build_table(source, layout, skeleton, images, people, provenance)
    return _with_regions(source, table, entries, people)


def _sections(source: SourceFile, content: Any) -> tuple[Entries, Entries, Entries]:
    """Images, annotations of people, and the categories of people."""
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise InputError(
            f"expected the lists `images` and `annotations` in {source.path}, found "
            f"{_shape(content)}; is it a COCO keypoints file?"
        )
    entries, categories = content["annotations"], content.get("categories") or []
    check_objects(source, "images", content["images"])
    check_objects(source, "annotations", entries)
    if not isinstance(categories, list):
        raise InputError(
            f"expected the list `categories` in {source.path}, got {shortened(categories, 60)}; "
            "correct or remove it"
        )
    check_objects(source, "categories", categories)
    if not categories:
        return content["images"], entries, [{}]
    if len(categories) == 1:
        return content["images"], entries, categories_of_people(source, categories, Counter())
    given = read_column(source, entries, CATEGORY_ID).tolist()
    pairs = zip(given, entries, strict=True)
    counts = Counter(number for number, entry in pairs if entry.get("keypoints"))
    used = categories_of_people(source, categories, counts)
    ids = {category["id"] for category in used}
    pairs = zip(given, entries, strict=True)
    return content["images"], [entry for number, entry in pairs if number in ids], used


def _shape(content: Any) -> str:
    if isinstance(content, dict):
        return f"an object with {', '.join(map(repr, list(content)[:6])) or 'nothing'}"
    return f"a {type(content).__name__}"


def _images(source: SourceFile, images: Entries) -> tuple[ImageColumns, int]:
    """The images, each once, and how many entries were dropped for that."""
    if not images:
        raise InputError(f"expected images in {source.path}, its `images` is empty; is it whole?")
    ids = read_column(source, images, ID)
    names = read_column(source, images, FILE_NAME)
    sizes = np.stack([read_column(source, images, side, default=0) for side in SIDES], axis=1)
    _, first, group = np.unique(ids, return_index=True, return_inverse=True)
    if len(first) < len(ids):
        _check_one_file_per_id(source, ids, names, first[group])
    kept = np.sort(first)
    return ImageColumns(ids[kept], sizes[kept], [names[i] for i in kept]), len(ids) - len(kept)


def _check_one_file_per_id(source: SourceFile, ids: Ints, names: list[str], original: Ints) -> None:
    for row, first in enumerate(original):
        if names[row] != names[first]:
            raise InputError(
                f"expected one file for image {ids[row]} in {source.path}, got "
                f"{names[first]!r} and {names[row]!r}; give the images distinct ids"
            )


def _people(
    source: SourceFile, entries: Entries, images: ImageColumns, form: tuple[int, int]
) -> tuple[PersonColumns, Provenance]:
    """The people of a file; ``form`` is (keypoints per person, coordinate of the first pixel)."""
    count, origin = form
    ids = read_column(source, entries, ID)
    _check_distinct_ids(source, ids)
    rows = _image_rows(source, entries, images, ids)
    keypoints, visibility = _keypoints(source, entries, count, ids)
    keypoints = columns.labelled_only(keypoints, visibility, origin) if origin else keypoints
    boxes, box_rule = _boxes(source, entries, keypoints, visibility, origin)
    areas, area_rule = _areas(source, entries, boxes)
    crowd = read_column(source, entries, CROWD, default=0)
    recorded = read_column(source, entries, LABELLED, default=-1)
    heads = _head_boxes(source, entries, origin)
    people = PersonColumns(
        rows, ids, keypoints, visibility, boxes, areas, crowd != 0, heads, recorded
    )
    return people, Provenance(area_rule, box_rule)


def _image_rows(source: SourceFile, entries: Entries, images: ImageColumns, ids: Ints) -> Ints:
    image_ids = read_column(source, entries, IMAGE_ID)
    rows = columns.rows_of(images.ids, image_ids)
    if (rows < 0).any():
        first = int(np.argmax(rows < 0))
        raise InputError(
            f"expected every annotation in {source.path} to be of a listed image, got unknown "
            f"image_id {image_ids[first]} in annotation {ids[first]}; add that image to "
            "`images` or remove the annotation"
        )
    return rows


def _check_distinct_ids(source: SourceFile, ids: Ints) -> None:
    ordered = np.sort(ids)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(again):
        raise InputError(
            f"expected distinct annotation ids in {source.path}, got {again[0]} more than once; "
            "renumber the annotations"
        )


def _keypoints(source: SourceFile, entries: Entries, count: int, ids: Ints) -> tuple[Any, Any]:
    """Positions (M, K, 2), zero where not labelled, and visibility (M, K)."""
    wanted = f"{count} times x, y, visibility ({3 * count} numbers)"
    key = vector_key("keypoints", wanted, 3 * count)
    flat = read_column(source, entries, key, default=[0] * (3 * count), empty=True)
    flat = flat.reshape(-1, count, 3)
    flags = flat[..., 2]
    if count == len(WHOLEBODY133):  # its flags may be confidences between 0 and 1
        flags = np.ceil(np.clip(flags, 0, 2))
    integers = flags.dtype != np.float64
    valid = (flags >= 0) & (flags <= 2) if integers else np.isin(flags, (0, 1, 2))
    if not valid.all():
        first = int(np.argmin(valid.all(axis=1)))
        raise InputError(
            f"expected visibility 0, 1 or 2 in {source.path}, got "
            f"{flags[first][~valid[first]][0]:g} in annotation {ids[first]}; correct or remove "
            "that annotation"
        )
    visibility = flags.astype(np.uint8)
    keypoints = flat[..., :2].astype(np.float64)
    keypoints *= (visibility > 0)[..., None]
    return keypoints, visibility


def _boxes(
    source: SourceFile, entries: Entries, keypoints: Any, visibility: Any, origin: int
) -> tuple[Any, str]:
    boxes = read_column(source, entries, BOX, default=_ABSENT_BOX, empty=True)
    boxes = boxes - np.array([origin, origin, 0, 0]) if origin else boxes.astype(np.float64)
    missing = ~boxes.any(axis=1)
    missing[missing] = [not entries[row].get("bbox") for row in np.flatnonzero(missing)]
    if not missing.any():
        return boxes, "annotated"
    tight = columns.boxes_around(keypoints, visibility)
    return np.where(missing[:, None], tight, boxes), _rule(missing, "around keypoints")


def _head_boxes(source: SourceFile, entries: Entries, origin: int) -> Any:
    """Head boxes (M, 4), zeros where absent; None for a file without any, which saves time."""
    if not any("head_box" in entry for entry in entries[:_SAMPLE]):
        return None
    given = read_column(source, entries, HEAD_BOX, default=_ABSENT_BOX, empty=True)
    heads = given.astype(np.float64)
    return np.where(heads[:, 2:3] > 0, heads - np.array([origin, origin, 0, 0]), 0.0)


def _areas(source: SourceFile, entries: Entries, boxes: Any) -> tuple[Any, str]:
    areas = read_column(source, entries, AREA, default=-1.0)
    missing = areas == -1.0
    if not missing.any():
        return areas, "annotated"
    derived = boxes[:, 2] * boxes[:, 3] * AREA_OF_BOX
    return np.where(missing, derived, areas), _rule(missing, "0.53 box")


def _rule(missing: Any, rule: str) -> str:
    return rule if missing.all() else f"annotated, {rule} where missing"


def _with_regions(
    source: SourceFile, table: Annotations, entries: Entries, people: PersonColumns
) -> Annotations:
    """The table with the regions of crowds and of people without keypoints."""
    from dataclasses import replace

    order = np.argsort(people.image, kind="stable")
    wanted = np.flatnonzero(table.crowd | (table.labelled() == 0))
    sizes = table.sizes[table.image_of()[wanted]].tolist()
    rows, records = [], []
    for row, (height, width) in zip(wanted.tolist(), sizes, strict=True):
        if height and width:
            rows.append(row)
            records.append(
                _record(source, entries[order[row]], table.boxes[row].tolist(), (height, width))
            )
    return replace(
        table,
        mask_rows=np.array(rows, np.int64),
        mask_ends=np.cumsum([len(r) for r in records], dtype=np.int64),
        mask_bytes=np.frombuffer(b"".join(records), np.uint8),
    )


def _record(source: SourceFile, entry: dict[str, Any], box: Any, size: tuple[int, int]) -> bytes:
    try:
        return record(entry.get("segmentation"), box, size)
    except InputError as error:
        raise InputError(
            f"{error} in annotation {entry['id']} of {source.path}; correct it"
        ) from None
