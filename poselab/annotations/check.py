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
    from poselab.structures import Ints

SAMPLE = 300
"""Images of a split that are looked at before training."""


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
        file = table.source
        try:
            path = table.image_path(images, row)
            file = str(path)
            sentence = _file_problem(path, table, row, decode)
        except InputError as error:
            sentence = str(error)
        return Problem(file, row, sentence, "error") if sentence else None

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


def check_some_images(table: Annotations, images: Path, most: int = SAMPLE) -> None:
    """Look for at most so many images, evenly spread over the table.

    Raises:
        InputError: some are missing, or a name leaves the folder.
    """
    rows = _some_rows(table, most)
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


def _file_problem(file: Path, table: Annotations, row: int, decode: bool) -> str:
    """The problem of one image's file; empty where there is none.

    Raises:
        InputError: it cannot be decoded to its end.
    """
    from poselab.io import images

    if not file.exists():
        return _missing(table, row)
    if not decode:
        return ""
    content, header = images.read_content(file)
    images.decode(file, content, reduction=8 if images.is_jpeg(content) else 1)
    annotated = table.image_size(row)
    if not all(annotated) or annotated in (header.size, header.upright_size):
        return ""
    height, width = header.upright_size
    return (
        f"is {width} × {height} pixels, annotated as {annotated[1]} × {annotated[0]}; fetch the "
        "images that belong to the annotations"
    )


class Orientations(NamedTuple):
    """Of ``images`` that were looked at, how many carry an orientation tag (``tagged``), how many
    of these keep their stored pixels, as annotated (``kept``), and of how many both views have one
    size, so that annotations cannot tell (``alike``)."""

    images: int
    tagged: int
    kept: int
    alike: int

    def __str__(self) -> str:
        if not self.tagged:
            return ""
        text = f"{self.tagged:,} of {self.images:,} images carry an orientation tag: "
        text += f"{self.tagged - self.kept:,} are turned upright"
        if self.kept:
            text += f", {self.kept:,} kept as stored, which their annotated size fits"
        if self.alike:
            text += (
                f"; the size of {self.alike:,} turned ones is the same either way: look at "
                "`poselab data browse` to see that annotations fit"
            )
        return text


def orientations(table: Annotations, images: Path, most: int | None = None) -> Orientations:
    """Look for orientation tags in the images that can be read, at most so many of the table."""
    from poselab.io.images import read_header

    looked = tagged = kept = alike = 0
    for row in _some_rows(table, len(table) if most is None else most):
        try:
            header = read_header(table.image_path(images, row))
        except InputError:
            continue
        looked += 1
        if header.orientation != 1:
            tagged += 1
            kept += header.orientation_for(table.image_size(row)) == 1
            alike += header.size == header.upright_size
    return Orientations(looked, tagged, kept, alike)


def _some_rows(table: Annotations, most: int) -> list[int]:
    """Image rows, at most so many, evenly spread over the table."""
    rows: list[int] = np.linspace(0, len(table) - 1, min(most, len(table))).astype(int).tolist()
    return rows
