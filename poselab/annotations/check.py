"""Problems of annotations and images, each with what to do about it.

Opening a file already raises errors about content that a table cannot hold (see
:func:`poselab.annotations.open_annotations`); these are the other problems. Errors break or falsify
training: an image that is missing, cannot be decoded to its end, or has another size than
annotated. Warnings do not: empty boxes, keypoints outside the image, counts that disagree, repeated
images.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from poselab.annotations.conventions import convention_warnings, fractions_of_image
from poselab.io.image_names import missing_image
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from poselab.annotations.table import Annotations
    from poselab.structures import Ints, Size


class Problem(NamedTuple):
    """One problem of a file; row is the person's or image's row of the table, -1 for none."""

    file: str
    row: int
    sentence: str
    severity: Literal["error", "warning"]


def annotation_problems(table: Annotations) -> list[Problem]:
    """All problems of the annotations themselves, without looking at images."""
    return [
        *mixed_up_conventions(table),
        *people_without_area(table),
        *empty_boxes(table),
        *keypoints_outside(table),
        *disagreeing_counts(table),
        *repeated_images(table),
    ]


def mixed_up_conventions(table: Annotations) -> list[Problem]:
    """Numbers that are not pixels, which falsify training, and signs of other mix-ups."""
    if sentence := fractions_of_image(table):
        return [Problem(table.source, -1, sentence, "error")]
    return [
        Problem(table.source, -1, f"holds questionable annotations: {sentence}", "warning")
        for sentence in convention_warnings(table)
    ]


def people_without_area(table: Annotations) -> list[Problem]:
    """That OKS cannot match people whose area is 0."""
    sentence = area_warning(table)
    return [Problem(table.source, -1, sentence, "warning")] if sentence else []


def area_warning(table: Annotations) -> str:
    """That, and how, people have no area that OKS could measure by; empty where all have one."""
    everyone = table.scorable()
    lacking = int((everyone & (table.areas <= 0)).sum())
    if not lacking:
        return ""
    return (
        f"{lacking} of {int(everyone.sum())} labelled people have area 0, so OKS counts every pose "
        "of them as wrong; annotate areas, or choose one for them: data.area=box (0.53 of their "
        "box) or data.area=PIXELS² in training, --area in `poselab evaluate`"
    )


def empty_boxes_warning(table: Annotations) -> str:
    """How many labelled people have no box, and what a crop of them shows; empty where all have."""
    everyone = table.scorable()
    empty = everyone & (table.boxes[:, 2:] <= 0).any(axis=1)
    if not empty.any():
        return ""
    points = int((np.count_nonzero(table.visibility[empty], axis=1) == 1).sum())
    single = f"; of {points} of them that is a single point, always in the middle" if points else ""
    return (
        f"{int(empty.sum())} of {int(everyone.sum())} labelled people have a box without area, so "
        f"crops show the tightest box around their keypoints{single}; annotate `bbox`"
    )


def empty_boxes(table: Annotations) -> list[Problem]:
    """People whose box has no area; framing falls back to their keypoints."""
    return _warnings(
        table,
        np.flatnonzero((table.boxes[:, 2:] <= 0).any(axis=1)),
        "its box has no area; give it one around the person",
    )


def keypoints_outside(table: Annotations) -> list[Problem]:
    """People with a labelled keypoint outside their image, where its size is known."""
    sizes = table.sizes[table.image_of()][:, None, ::-1]
    outside = (table.keypoints < -0.5) | (table.keypoints > sizes - 0.5)
    labelled = (table.visibility > 0) & (sizes > 0).all(axis=2)
    return _warnings(
        table,
        np.flatnonzero((outside.any(axis=2) & labelled).any(axis=1)),
        "a labelled keypoint lies outside the image; mark it as not labelled",
    )


def disagreeing_counts(table: Annotations) -> list[Problem]:
    """People whose ``num_keypoints`` is not the number of their labelled keypoints."""
    counted = np.count_nonzero(table.visibility, axis=1)
    return _warnings(
        table,
        np.flatnonzero(table.labelled() != counted),
        "its num_keypoints is not the number of labelled keypoints; evaluation uses the former",
    )


def repeated_images(table: Annotations) -> list[Problem]:
    """Image entries that were dropped because they repeat an earlier one."""
    if not table.repeated:
        return []
    sentence = f"{table.repeated} entries list an image again; each is read once"
    return [Problem(table.source, -1, sentence, "warning")]


def _warnings(table: Annotations, rows: Ints, sentence: str) -> list[Problem]:
    ids = table.annotation_ids[rows].tolist()
    return [
        Problem(table.source, row, f"annotation {number}: {sentence}", "warning")
        for row, number in zip(rows.tolist(), ids, strict=True)
    ]


def image_problems(
    table: Annotations, images: Path, decode: bool = True, threads: int = 4
) -> Iterator[Problem | None]:
    """The problem of each image's file in the table's order, None where there is none.

    Without ``decode`` only missing files are problems.
    """

    def one(row: int) -> Problem | None:
        size = (int(table.sizes[row, 0]), int(table.sizes[row, 1]))
        try:
            file = table.image_path(images, row)
        except InputError as error:
            return Problem(table.source, row, f"names an image wrongly: {error}", "error")
        if not file.is_file():
            sentence: str | None = _missing(table, row)
        else:
            sentence = image_sentence(file, size) if decode else None
        return None if sentence is None else Problem(str(file), row, sentence, "error")

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(one, range(len(table)))


def is_present(table: Annotations, images: Path) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which images (N,) of the table exist.

    Raises:
        InputError: a name leaves the folder of images.
    """
    # One look at the folder answers for all the names without a folder of their own.
    names = {file.name for file in images.iterdir()}
    return np.array(
        [
            table.file_name(row) in names or table.image_path(images, row).is_file()
            for row in range(len(table))
        ],
        dtype=bool,
    )


def check_some_images(table: Annotations, images: Path, most: int = 300) -> None:
    """Look for at most so many images, evenly spread over the table.

    Raises:
        InputError: some are missing, or a name leaves the folder.
    """
    rows = np.linspace(0, len(table) - 1, min(most, len(table))).astype(int).tolist()
    absent = [row for row in rows if not table.image_path(images, row).is_file()]
    if absent:
        raise InputError(
            f"expected the images of {table.source}, but {len(absent)} of {len(rows)} that were "
            f"looked for are not there: {table.image_path(images, absent[0])} "
            f"{_missing(table, absent[0])}"
        )


def present_images(table: Annotations, images: Path) -> tuple[Annotations, list[Problem]]:
    """The table of the images that exist, and a warning about the others, or an error if none
    exists.
    """
    present = is_present(table, images)
    absent = int((~present).sum())
    if not absent:
        return table, []
    sentence = f"lacks {absent:,} of {len(table):,} annotated images"
    if not present.any():
        return table.select(present), [
            Problem(str(images), -1, f"{sentence}; fetch those of the dataset", "error")
        ]
    rest = f"{sentence}, which training leaves out; fetch them to use them"
    return table.select(present), [Problem(str(images), -1, rest, "warning")]


def _missing(table: Annotations, row: int) -> str:
    return missing_image(table.file_name(row), table.outside_images)


def image_sentence(file: Path, size: Size) -> str | None:
    """The problem of one image's file of (height, width) ``size``; zeros: unknown size."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
            image.draft("RGB", (max(width // 8, 1), max(height // 8, 1)))
            image.load()
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        return f"cannot be decoded to its end ({_reason(error)}); fetch it again"
    if all(size) and size != (height, width):
        return (
            f"is {width} × {height} pixels, annotated as {size[1]} × {size[0]}; fetch the images "
            "that belong to the annotations"
        )
    return None


def _reason(error: Exception) -> str:
    return "not an image" if "cannot identify" in str(error) else str(error)
