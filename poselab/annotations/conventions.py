"""Signs of mixed-up conventions in annotations: fractions, corners, rows before columns, 1-based.

All take medians or shares over a sample of labelled people, so that single mistakes do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.structures import InputError

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

PEOPLE_SAMPLED = 4000
PEOPLE_NEEDED = 10
LARGEST_FRACTION = 1.5
"""Fractions of an image's size stay below this, even of people who are partly outside."""
BETTER = 0.2
"""Another reading of boxes is reported if it overlaps the keypoints by so much more."""
OFTEN = 0.25
"""The share of keypoints outside a box or an image that is no longer a matter of single people."""
BOX_MARGIN = 0.25
"""The part of a box's sides by which keypoints may lie outside of it."""


def check_units(table: Annotations) -> None:
    """Check that keypoints and boxes are in pixels.

    Raises:
        InputError: they are fractions of the image's size.
    """
    if sentence := fractions_of_image(table):
        raise InputError(f"expected pixels in {table.source}, but {sentence}")


def fractions_of_image(table: Annotations) -> str:
    """What is given as fractions of the image's size instead of pixels; empty if nothing is."""
    annotated = table.boxes[:, 2:].all(axis=1) & (table.box_rule == "annotated")
    columns = {"keypoints": table.keypoints[table.visibility > 0], "boxes": table.boxes[annotated]}
    wrong = [what for what, values in columns.items() if _are_fractions(values)]
    tiny = 0 < table.sizes.max(initial=0) <= 2
    if not wrong or tiny:
        return ""
    largest = max(float(columns[what].max()) for what in wrong)
    return (
        f"no number of its {' and '.join(wrong)} is beyond {largest:.3g}, as in fractions of the "
        "image's width and height; multiply them by these"
    )


def _are_fractions(values: Floats) -> bool:
    within = len(values) > 0 and float(np.abs(values).max()) <= LARGEST_FRACTION
    return within and bool((values % 1 != 0).any())


def convention_warnings(table: Annotations) -> list[str]:
    """A sentence for each mix-up that annotations in pixels suggest; empty if nothing is wrong."""
    rows = np.flatnonzero(table.scorable())
    if len(rows) < PEOPLE_NEEDED:
        return []
    rows = rows[:: max(1, len(rows) // PEOPLE_SAMPLED)]
    mixed_up = annotated_box_reading(table) or _rows_first(table, rows)
    others = (_outside_boxes(table, rows), _outside_images(table, rows))
    sentences = [mixed_up] if mixed_up else [sentence for sentence in others if sentence]
    return [*sentences, *_one_based(table, rows), *_fractional_areas(table, rows)]


def annotated_box_reading(table: Annotations) -> str:
    """The reading of the annotated boxes that fits the keypoints far better; empty if none."""
    instances = np.flatnonzero((table.visibility > 0).sum(axis=1) > 2)
    if table.box_rule != "annotated" or not len(instances):
        return ""
    instances = instances[:: max(1, len(instances) // PEOPLE_SAMPLED)]
    seen = (table.visibility[instances] > 0)[..., None]
    points = np.where(seen, table.keypoints[instances], np.nan)
    return box_reading("the annotations'", table.boxes[instances], points)


def box_reading(whose: str, boxes: Floats, points: Floats) -> str:
    """A sentence if boxes (N, 4) fit points (N, K, 2), NaN where unknown, only in another form."""
    if len(boxes) < PEOPLE_NEEDED:
        return ""
    extents = np.concatenate([np.nanmin(points, axis=1), np.nanmax(points, axis=1)], axis=1)
    corner, last = boxes[:, :2], boxes[:, 2:]
    as_sizes = np.concatenate([corner, corner + last], axis=1)
    centred = np.concatenate([corner - last / 2, corner + last / 2], axis=1)
    readings = {
        f"{whose} bbox fits the keypoints far better as two corners (x1, y1, x2, y2); COCO and "
        "PoseLab read x, y, width, height": (boxes, extents),
        f"{whose} bbox fits the keypoints far better as centre and size; COCO and PoseLab read its "
        "left and top, then width and height": (centred, extents),
        f"{whose} bbox fits the keypoints far better with their x and y swapped: are the keypoints "
        "or the boxes row, column? COCO and PoseLab read x first": (
            as_sizes,
            extents[:, [1, 0, 3, 2]],
        ),
    }
    fits = {words: float(np.median(_overlap(*pair))) for words, pair in readings.items()}
    best = max(fits, key=lambda words: fits[words])
    return best if fits[best] >= np.median(_overlap(as_sizes, extents)) + BETTER else ""


def _overlap(one: Floats, other: Floats) -> Floats:
    """Intersection over union (N,) of boxes (N, 4) given by their corners."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1) for b in (one, other)]
    overlap: Floats = common / np.maximum(areas[0] + areas[1] - common, 1e-9)
    return overlap


def _share_outside(table: Annotations, rows: Ints, swapped: bool = False) -> float:
    """The share of people's labelled keypoints outside their images, of known size; 0 if none."""
    points = table.keypoints[rows][..., ::-1] if swapped else table.keypoints[rows]
    sizes = table.sizes[table.image_of()[rows]][:, None, ::-1]
    counted = (table.visibility[rows] > 0) & (sizes > 0).all(axis=2)
    outside: Any = ((points < -0.5) | (points > sizes + 0.5)).any(axis=2)
    return float(outside[counted].mean()) if counted.any() else 0.0


def _rows_first(table: Annotations, rows: Ints) -> str:
    outside = _share_outside(table, rows)
    if outside < BETTER or _share_outside(table, rows, swapped=True) > outside / 10:
        return ""
    return (
        f"{outside:.0%} of the labelled keypoints lie outside their images, and almost none with x "
        "and y swapped: are they row, column? COCO and PoseLab read x first"
    )


def _outside_boxes(table: Annotations, rows: Ints) -> str:
    rows = rows[(table.boxes[rows, 2:] > 0).all(axis=1)]
    if table.box_rule != "annotated" or len(rows) < PEOPLE_NEEDED:
        return ""
    low, sides = np.split(table.boxes[rows][:, None], 2, axis=2)
    from_middle = np.abs(table.keypoints[rows] - low - sides / 2)
    beyond: Any = (from_middle > (0.5 + BOX_MARGIN) * sides).any(axis=2)
    outside = float(beyond[table.visibility[rows] > 0].mean())
    if outside < OFTEN:
        return ""
    return (
        f"{outside:.0%} of the labelled keypoints lie far outside their person's box: are both "
        "pixels of the image at its full size, and of the same person?"
    )


def _outside_images(table: Annotations, rows: Ints) -> str:
    outside = _share_outside(table, rows)
    if outside < OFTEN:
        return ""
    return (
        f"{outside:.0%} of the labelled keypoints lie outside their images: are they pixels of the "
        "images at their full size?"
    )


def _one_based(table: Annotations, rows: Ints) -> list[str]:
    """Keypoints that touch the pixel after an image's last, but never its first."""
    sizes = np.broadcast_to(table.sizes[table.image_of()[rows]][:, None, ::-1], (len(rows), 1, 2))
    seen = table.visibility[rows] > 0
    points = table.keypoints[rows]
    touching = int(((points == sizes) & (sizes > 0) & seen[..., None]).sum())
    beyond = (points > sizes) & (sizes > 0) & seen[..., None]
    if touching < PEOPLE_NEEDED or beyond.any() or points[seen].min() < 1:
        return []
    return [
        f"{touching} coordinates of keypoints are the image's width or height and none is 0: are "
        "they 1-based? COCO and PoseLab count pixels from 0"
    ]


def _fractional_areas(table: Annotations, rows: Ints) -> list[str]:
    areas = table.areas[rows]
    sides = table.boxes[rows, 2:].prod(axis=1)
    if not (areas > 0).any() or areas.max() > 1 or np.median(sides) < 100:
        return []
    return [
        f"no area is beyond {areas.max():.3g}, as in fractions of the image: OKS reads pixels²; "
        "multiply them by the image's width and height"
    ]
