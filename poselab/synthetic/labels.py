"""The labels of a finished scene: points, boxes and outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poselab.synthetic.scene import Scene

ImageLabels = dict[str, Any]
"""The labels of one image, see :func:`labels_of`."""
SplitLabels = dict[int, ImageLabels]
"""The labels of a split's images by image id."""
MIN_AREA = 24  # pixels; people who show fewer are not labelled


def labels_of(scene: Scene) -> ImageLabels:
    """The labels of an image as plain lists, which can be written as JSON.

    instances: of each person points [[x, y, v]] in the order of POINT_NAMES, box x y w h around the
    pixels that show them (as of pycocotools' ``toBbox``), area the number of these pixels,
    polygons, head_box. crowd: box, area and column-major run-lengths of a crowd in the distance, or
    None.
    """
    crowd = np.flatnonzero(scene.crowd)
    instances = [_person(scene, int(p)) for p in np.flatnonzero(~scene.crowd)]
    mask = scene.owner >= crowd[0] if len(crowd) else None
    return {
        "instances": [person for person in instances if person is not None],
        "crowd": None if mask is None else _crowd(mask),
    }


def _person(scene: Scene, person: int) -> dict[str, Any] | None:
    mask = (scene.owner == person).view(np.uint8)
    area = cv2.countNonZero(mask)
    if area < MIN_AREA:
        return None
    x, y, w, h = cv2.boundingRect(mask)
    visibility = scene.visibility[person]
    placed = np.round(np.where(visibility[:, None] > 0, scene.points[person], 0.0), 2).tolist()
    return {
        "points": [[*xy, v] for xy, v in zip(placed, visibility.tolist(), strict=True)],
        "box": [x, y, w, h],
        "area": area,
        # COCO's API needs an outline: people of whom only slivers show get their box.
        "polygons": _polygons(mask[y : y + h, x : x + w], (x, y))
        or [[x, y, x + w, y, x + w, y + h, x, y + h]],
        "head_box": np.round(scene.head_boxes[person], 2).tolist(),
    }


def _polygons(mask: NDArray[np.uint8], offset: tuple[int, int]) -> list[Any]:
    """The outer outlines of a mask, simplified to within a pixel; slivers are left out."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    simple = (cv2.approxPolyDP(outline, 0.9, True) for outline in outlines)
    return [np.ravel(outline).tolist() for outline in simple if len(outline) >= 3]


def _crowd(mask: NDArray[np.bool_]) -> dict[str, Any] | None:
    whole = mask.view(np.uint8)
    area = cv2.countNonZero(whole)
    if area < MIN_AREA:
        return None
    return {"box": list(cv2.boundingRect(whole)), "area": area, "counts": run_lengths(mask)}


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Uncompressed COCO run-lengths of a mask (H, W): column by column, zeros first."""
    flat = mask.T.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = [0, 0] if flat[0] else [0]
    lengths: list[int] = np.diff(np.concatenate([starts, changes, [len(flat)]])).tolist()
    return lengths
