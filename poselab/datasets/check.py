"""Check a dataset's folder, or one annotation file: what is missing or broken."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from poselab.annotations import open_annotations
from poselab.annotations.check import (
    Problem,
    annotation_problems,
    image_problems,
    orientations,
    present_images,
)
from poselab.datasets.recognise import all_datasets, dataset_in
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.datasets.base import SplitFiles

    Track = Callable[[Iterator[Any], int, str], Iterable[Any]]


class SplitReport(NamedTuple):
    """One split: its annotation file (None: missing) and the table of it (None: it does not
    open), the folder of its images (None: missing, or not to be checked), all problems, and a note
    of how images lie."""

    name: str
    file: Path | None
    table: Annotations | None
    images: Path | None
    problems: list[Problem]
    note: str = ""


class Checks(NamedTuple):
    """How to check: whether images are decoded, and ``track``, which wraps (steps, number,
    description) as a progress bar does; ``category`` is the only one to open, and
    ``outside_images`` permits names that leave the folder of images."""

    decode: bool
    track: Track
    category: str | None = None
    outside_images: bool = False


def check_folder(
    root: Path, checks: Checks, dataset: str | None = None, images: Path | None = None
) -> list[SplitReport]:
    """Check every split of a dataset; ``images`` overrides its folder of images.

    Raises:
        InputError: the folder holds no known dataset, or ``dataset`` is unknown.
    """
    known = all_datasets()
    if dataset is not None and dataset not in known:
        raise InputError(f"expected a dataset out of {', '.join(known)}, got {dataset!r}")
    name = dataset or dataset_in(root)
    if name is None:
        raise InputError(
            f"expected a dataset in its official layout under {root}, found none; annotations of "
            "your own are checked by `poselab data check FILE --images FOLDER` and trained on by "
            f"data=custom (see `poselab train --help`), or {how_to_get(root)}"
        )
    # Splits that are image rows of one file, such as LSP's, are checked once.
    splits = {(split.annotations, split.images): split for split in known[name].files(root)}
    return [_check_split(split, images or split.images, checks) for split in splits.values()]


def check_file(
    file: Path, checks: Checks, layout: str | None = None, images: Path | None = None
) -> SplitReport:
    """Check one annotation file, and its images if ``images`` is their folder."""
    folder = images if images is not None and images.is_dir() else None
    table, problems = _check(file, folder, checks, layout or "auto")
    if images is not None and folder is None:
        problems.append(Problem(str(images), -1, "is missing; check the path", "error"))
    return SplitReport(file.name, file, table, folder, problems, _note(table, folder, checks))


def how_to_get(root: Path) -> str:
    """The folders of every known dataset, and where it can be downloaded, a line for each."""
    places = []
    for dataset in all_datasets().values():
        splits = dataset.files(root)
        urls = dict.fromkeys(url for s in splits for url in (s.annotations_url, s.images_url))
        places.append(f"{_layout(dataset.TITLE, splits)} from {', '.join(urls)}")
    return "get\n  " + "\n  ".join(places)


def _layout(title: str, splits: tuple[SplitFiles, ...]) -> str:
    names = [name for split in splits for name in (_place(split), split.images.name)]
    return f"{title} ({' + '.join(dict.fromkeys(names))})"


def _place(split: SplitFiles) -> str:
    return "*.mat" if split.by_content else split.annotations[0].parent.name


def _check_split(split: SplitFiles, folder: Path, checks: Checks) -> SplitReport:
    file = split.checked_file()
    images = folder if folder.is_dir() else None
    problems: list[Problem] = []
    table = None
    if file is None:
        sentence = f"is missing; get it from {split.annotations_url}"
        problems.append(Problem(str(split.annotations[0]), -1, sentence, "error"))
    else:
        table, problems = _check(file, images, checks, "auto", split.present_only)
    if images is None:
        sentence = f"is missing; unpack {split.images_url} there"
        problems.append(Problem(str(folder), -1, sentence, "error"))
    return SplitReport(split.name, file, table, images, problems, _note(table, images, checks))


def _check(
    file: Path, images: Path | None, checks: Checks, layout: str, present_only: bool = False
) -> tuple[Annotations | None, list[Problem]]:
    """The table of a file, if it opens, and the problems of it and of its images."""
    try:
        table = open_annotations(file, layout, category=checks.category)
    except InputError as error:
        return None, [Problem(str(file), -1, str(error), "error")]
    table = replace(table, outside_images=checks.outside_images)
    if table.file_name(0).endswith(".unknown"):  # a format that names no images
        images = None
    absent: list[Problem] = []
    if images is not None and present_only:
        try:
            table, absent = present_images(table, images)
        except InputError as error:
            absent = [Problem(str(file), -1, str(error), "error")]
    problems = [*absent, *annotation_problems(table)]
    if images is not None:
        steps = image_problems(table, images, checks.decode, threads=os.cpu_count() or 1)
        doing = f"{'decoding' if checks.decode else 'finding'} images in {images.name}"
        tracked = checks.track(steps, len(table), doing)
        problems += [problem for problem in tracked if problem is not None]
    return table, problems


def _note(table: Annotations | None, images: Path | None, checks: Checks) -> str:
    """How images lie, where some carry an orientation tag; empty if images are not decoded."""
    if table is None or images is None or not checks.decode:
        return ""
    return str(orientations(table, images))
