"""What an epoch goes through: people by their boxes, or whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab import geometry
from poselab.annotations.columns import rows_of
from poselab.annotations.formats.detections import read_detections
from poselab.structures import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.annotations import Annotations
    from poselab.annotations.formats.detections import Detections
    from poselab.structures import Floats, Ints


class Items(NamedTuple):
    """One row a network input: image (n,) row of the table; person (n,) row, -1 where none is
    meant; boxes (n, 4) image pixels; scores (n,) of the boxes."""

    image: Ints
    person: Ints
    boxes: Floats
    scores: Floats


def labelled_instances(annotations: Annotations) -> Items:
    """Everybody with a labelled keypoint, in his annotated box (or his keypoints', if it is empty).

    Raises:
        InputError: nobody has one.
    """
    labelled = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    instances = np.flatnonzero(labelled)
    if not len(instances):
        raise InputError(
            f"expected people with labelled keypoints in {annotations.source}, found none; "
            "check the file with `poselab data check`"
        )
    boxes = np.array(annotations.boxes[instances])
    empty = (boxes[:, 2:] <= 0).any(axis=1)
    boxes[empty] = geometry.boxes_of_keypoints(
        annotations.keypoints[instances[empty]], annotations.visibility[instances[empty]] > 0
    )
    return Items(annotations.image_of()[instances], instances, boxes, np.ones(len(instances)))


def detected_people(annotations: Annotations, detections: Path, threshold: float) -> Items:
    """Boxes that a detector found in the annotated images, with at least that score.

    Raises:
        InputError: the file is broken, or none of its boxes lies in one of the images.
    """
    return found_people(annotations, read_detections(detections), threshold, str(detections))


def found_people(
    annotations: Annotations, found: Detections, threshold: float = 0.0, source: str = "these boxes"
) -> Items:
    """Those of the found boxes that lie in the annotated images and score at least that.

    Raises:
        InputError: there is none.
    """
    rows = rows_of(annotations.image_ids, found.image_ids)
    keep = (rows >= 0) & (found.scores >= threshold)
    if not keep.any():
        raise InputError(
            f"expected boxes of score >= {threshold} for the images of {annotations.source} in "
            f"{source}, found none among {len(keep)}; check the image ids and the threshold"
        )
    nobody = np.full(int(keep.sum()), -1)
    return Items(rows[keep], nobody, found.boxes[keep], found.scores[keep])


def moved_to_iou(boxes: Floats, iou: float, rng: np.random.Generator) -> Floats:
    """Boxes (M, 4), each moved and resized in a random direction until it overlaps its old place
    by exactly ``iou``.

    Directions are uniform among shifts, in units of the box's sides, and logarithms of its sides.

    Raises:
        InputError: ``iou`` not in (0, 1].
    """
    if not 0 < iou <= 1:
        raise InputError(f"expected an IoU above 0 and up to 1, got {iou}; choose another")
    direction = rng.standard_normal((len(boxes), 4))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    near, far = np.zeros(len(boxes)), np.full(len(boxes), 64.0)
    for _ in range(60):  # bisection to the last bit
        middle = (near + far) / 2
        enough = _overlap_after(direction * middle[:, None]) >= iou
        near, far = np.where(enough, middle, near), np.where(enough, far, middle)
    shift, growth = np.split(direction * near[:, None], 2, axis=1)
    sides = boxes[:, 2:] * np.exp(growth)
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + shift * boxes[:, 2:]
    return np.concatenate([centres - sides / 2, sides], axis=1)


def _overlap_after(motion: Floats) -> Floats:
    """IoU (M,) of unit boxes with themselves after shifts and growths (M, 4) x y w h."""
    shift, sides = motion[:, :2], np.exp(motion[:, 2:])
    high = np.minimum(0.5, shift + sides / 2)
    common = np.clip(high - np.maximum(-0.5, shift - sides / 2), 0, None).prod(axis=1)
    return np.asarray(common / (1 + sides.prod(axis=1) - common))


def spared(count: int, miss: float, rng: np.random.Generator) -> Ints:
    """Rows of ``count`` without a random share ``miss`` of them, rounded to whole rows.

    Raises:
        InputError: ``miss`` not in [0, 1).
    """
    if not 0 <= miss < 1:
        raise InputError(f"expected a miss rate from 0 to below 1, got {miss}; choose another")
    return np.sort(rng.permutation(count)[round(miss * count) :])


def whole_images(annotations: Annotations, inhabited: bool) -> Items:
    """Every image once, or only those with a labelled person.

    Raises:
        InputError: the annotations do not say how large the images are.
    """
    images = np.arange(len(annotations))
    if inhabited:
        images = np.unique(labelled_instances(annotations).image)
    height, width = annotations.sizes[images].T
    if not (height * width).all():
        raise InputError(
            f"expected the sizes of images in {annotations.source} to show them whole, found "
            "none (MPII and LSP have none); use framing=person_crop"
        )
    corner = np.full(len(images), -0.5)
    boxes = np.stack([corner, corner, width, height], axis=1)
    return Items(images, np.full(len(images), -1), boxes, np.ones(len(images)))
