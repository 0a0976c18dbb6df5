"""The inputs of an epoch: people by their boxes, or whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from poselab import geometry
from poselab.annotations.columns import rows_of
from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations import Annotations
    from poselab.annotations.formats.detections import Detections
    from poselab.structures import Floats, Ints


class Items(NamedTuple):
    """One row per network input: image (n,) row of the table; person (n,) row, -1 for no annotated
    person; boxes (n, 4) x y w h image pixels; scores (n,) of the boxes."""

    image: Ints
    person: Ints
    boxes: Floats
    scores: Floats


CLIP_RULES = ("hrnet", "dark", "mmpose")
"""How code of the field makes annotated boxes end in the image, see :func:`clipped`."""


def labelled_instances(annotations: Annotations) -> Items:
    """Every person with a labelled keypoint and their annotated box, or the tightest box around
    their keypoints where the annotated one is empty.

    Raises:
        InputError: no person has a labelled keypoint.
    """
    instances = np.flatnonzero(annotations.scorable())
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


def clipped(items: Items, annotations: Annotations, rule: str) -> Items:
    """Labelled instances whose boxes end in the image, without those that have no box left.

    ``rule`` "hrnet": from the first to the last pixel, so that all boxes are a pixel narrower and
    lower, and people without a segmented area are left out (SimpleBaseline, HRNet, UDP, SimCC, RLE,
    ViTPose; lib/dataset/coco.py, clean_bbox); "dark": the same with that pixel added again
    (DarkPose); "mmpose": what lies outside is cut (mmpose 1.x, base_coco_style_dataset.py,
    parse_data_info). Boxes in images of unknown size are not cut.

    Raises:
        InputError: no box is left.
    """
    corner, sides = np.split(np.asarray(items.boxes, dtype=np.float64), 2, axis=1)
    sizes = annotations.sizes[items.image][:, ::-1]
    last = np.where(sizes > 0, sizes - 1.0, np.inf)
    low = np.maximum(corner, 0)
    if rule == "mmpose":
        high = np.minimum(corner + sides, last)
        keep = (high > low).all(axis=1)
    else:
        high = np.minimum(low + np.maximum(sides - 1, 0), last)
        keep = (high >= low).all(axis=1) & (annotations.areas[items.person] > 0)
    if not keep.any():
        raise InputError(
            f"expected boxes inside their images in {annotations.source}, found none that "
            f"framing.clip={rule} keeps; correct the boxes or set framing.clip=null"
        )
    boxes = np.concatenate([low, high - low + (rule == "dark")], axis=1)
    return Items(items.image[keep], items.person[keep], boxes[keep], items.scores[keep])


def detected_instances(
    annotations: Annotations,
    detections: Detections,
    threshold: float = 0.0,
    source: str = "these boxes",
) -> Items:
    """The detected boxes in annotated images with a score of ``threshold`` or more.

    ``source`` names the boxes in the error.

    Raises:
        InputError: there is no such box.
    """
    rows = rows_of(annotations.image_ids, detections.image_ids)
    keep = (rows >= 0) & (detections.scores >= threshold)
    if not keep.any():
        raise InputError(
            f"expected boxes of score >= {threshold} for the images of {annotations.source} in "
            f"{source}, found none among {len(keep)}; check the image ids and the threshold"
        )
    no_person = np.full(int(keep.sum()), -1)
    return Items(rows[keep], no_person, detections.boxes[keep], detections.scores[keep])


def whole_images(annotations: Annotations, with_people: bool) -> Items:
    """Every image once, or only those with a labelled person (``with_people``).

    Raises:
        InputError: the annotations lack the sizes of images.
    """
    images = np.arange(len(annotations))
    if with_people:
        images = np.unique(labelled_instances(annotations).image)
    height, width = annotations.sizes[images].T
    if not (height * width).all():
        raise InputError(
            f"expected the sizes of images in {annotations.source} to frame whole images, found "
            "none (MPII and LSP have none); use framing=person_crop"
        )
    corner = np.full(len(images), -0.5)  # pixel centres are whole numbers
    boxes = np.stack([corner, corner, width, height], axis=1)
    return Items(images, np.full(len(images), -1), boxes, np.ones(len(images)))
