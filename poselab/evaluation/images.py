"""Which images are scored, and where the images of predictions lie among the annotated ones."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from poselab.annotations.columns import rows_of
from poselab.structures import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poselab.annotations.table import Annotations
    from poselab.structures import Ints, Mask

ImageIds: TypeAlias = "Sequence[int] | Ints | None"
"""Ids of the images to score; None: those with people held out for testing, else all."""


def check_image_ids(annotations: Annotations, image_ids: Sequence[int] | Ints) -> None:
    """Check that all images are annotated.

    Raises:
        InputError: some are not.
    """
    unknown = np.setdiff1d(np.asarray(image_ids), annotations.image_ids)
    if len(unknown):
        raise InputError(
            f"expected image ids of {annotations.source}, got {len(unknown)} others such as "
            f"{unknown[0]}; give the annotations that these predictions were made for"
        )


def image_rows(annotations: Annotations, image_ids: Sequence[int] | Ints) -> Ints:
    """The image row (n,) of each id.

    Raises:
        InputError: an image is not annotated.
    """
    check_image_ids(annotations, image_ids)
    return rows_of(annotations.image_ids, np.asarray(image_ids, np.int64))


def rows_of_names(annotations: Annotations, names: Sequence[str]) -> Ints:
    """The image row (n,) of each file name, -1 for unknown ones.

    A name may lack or have other folders, or lack its ending, where that is enough to tell.
    """
    rows: dict[str, int] = {}
    spellings = [_spellings(annotations.file_name(row)) for row in range(len(annotations))]
    for place in range(3):
        seen: dict[str, int] = {}
        for row, names_of_image in enumerate(spellings):
            name = names_of_image[place]
            seen[name] = -1 if name in seen else row
        rows = seen | rows
    found = [[rows.get(spelling, -1) for spelling in _spellings(name)] for name in names]
    return np.array([next((row for row in of if row >= 0), -1) for of in found], np.int64)


def _spellings(name: str) -> tuple[str, str, str]:
    """A file name as it is, without folders, and without its ending."""
    path = PurePosixPath(name.strip().replace("\\", "/"))
    return str(path), path.name, path.stem


def images_to_score(annotations: Annotations, image_ids: ImageIds = None) -> Mask:
    """Mask (N,) of the images to score.

    Raises:
        InputError: an image is not annotated.
    """
    if image_ids is not None:
        check_image_ids(annotations, image_ids)
        return np.isin(annotations.image_ids, np.asarray(image_ids))
    held_out = annotations.held_out
    if held_out is None or not held_out.any():
        return np.ones(len(annotations), dtype=bool)
    return np.bincount(annotations.image_of()[held_out], minlength=len(annotations)) > 0


def instances_to_score(annotations: Annotations, image_ids: ImageIds = None) -> Mask:
    """Mask (M,) of the scorable people of these images; without ids, of those held out if any are.

    Raises:
        InputError: an image is not annotated.
    """
    held_out = annotations.held_out
    if image_ids is None and held_out is not None and held_out.any():
        return annotations.scorable() & held_out
    return annotations.scorable() & images_to_score(annotations, image_ids)[annotations.image_of()]
