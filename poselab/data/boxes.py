"""What an epoch goes through: people by their boxes, or whole pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab import geometry
from poselab.annotations.detections import read_detections
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.structures import Floats, Ints


class Items(NamedTuple):
    """One row a network input: picture (n,) row of the table; person (n,) row, -1 where none is
    meant; boxes (n, 4) picture pixels; scores (n,) of the boxes."""

    picture: Ints
    person: Ints
    boxes: Floats
    scores: Floats


def labelled_people(annotations: Annotations) -> Items:
    """Everybody with a labelled keypoint, in his annotated box (or his keypoints', if it is empty).

    Raises:
        InputError: nobody has one.
    """
    labelled = (annotations.visible > 0).any(axis=1) & ~annotations.crowd
    people = np.flatnonzero(labelled)
    if not len(people):
        raise InputError(
            f"expected people with labelled keypoints in {annotations.source}, found none; "
            "check the file with `poselab data check`"
        )
    boxes = np.array(annotations.boxes[people])
    empty = (boxes[:, 2:] <= 0).any(axis=1)
    boxes[empty] = geometry.boxes_of_keypoints(
        annotations.keypoints[people[empty]], annotations.visible[people[empty]] > 0
    )
    return Items(annotations.picture_of()[people], people, boxes, np.ones(len(people)))


def detected_people(annotations: Annotations, detections: Path, threshold: float) -> Items:
    """Boxes that a detector found in the annotated pictures, with at least that score.

    Raises:
        InputError: the file is broken, or none of its boxes lies in one of the pictures.
    """
    found = read_detections(detections)
    order = np.argsort(annotations.image_ids, kind="stable")
    ids = annotations.image_ids[order]
    place = np.searchsorted(ids, found.image_ids).clip(max=len(ids) - 1)
    keep = (ids[place] == found.image_ids) & (found.scores >= threshold)
    if not keep.any():
        raise InputError(
            f"expected boxes of score >= {threshold} for the pictures of {annotations.source} in "
            f"{detections}, found none among {len(keep)}; check the image ids and the threshold"
        )
    pictures = order[place[keep]]
    nobody = np.full(len(pictures), -1)
    return Items(pictures, nobody, found.boxes[keep], found.scores[keep])


def whole_pictures(annotations: Annotations, inhabited: bool) -> Items:
    """Every picture once, or only those with a labelled person.

    Raises:
        InputError: the annotations do not say how large the pictures are.
    """
    pictures = np.arange(len(annotations))
    if inhabited:
        pictures = np.unique(labelled_people(annotations).picture)
    height, width = annotations.sizes[pictures].T
    if not (height * width).all():
        raise InputError(
            f"expected the sizes of pictures in {annotations.source} to show them whole, found "
            "none (MPII and LSP have none); use framing=person"
        )
    corner = np.full(len(pictures), -0.5)
    boxes = np.stack([corner, corner, width, height], axis=1)
    return Items(pictures, np.full(len(pictures), -1), boxes, np.ones(len(pictures)))
