"""Undetected instances: people whom a top-down method cannot find, because no box shows them.

Cao et al. (2017, section 1) call this early commitment: if the detector fails, there is no recourse
to recovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.geometry import iou

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

MIN_IOU = 0.5
"""Least IoU with an instance's annotated box at which a box detects it."""


class BoxMatches(NamedTuple):
    """Which detected box belongs to each of L labelled instances that are no crowds.

    instances (L,) rows of the table; box (L,) row of the box that detects each, -1 for undetected
    ones; iou (L,) with it, 0 for undetected ones.
    """

    instances: Ints
    box: Ints
    iou: Floats

    @property
    def undetected(self) -> Ints:
        """Rows of the table of undetected instances."""
        return self.instances[self.box < 0]

    @property
    def undetected_rate(self) -> float:
        """Share of undetected instances; NaN where there are no instances."""
        return float((self.box < 0).mean()) if len(self.instances) else float("nan")

    @property
    def mean_iou(self) -> float:
        """Mean IoU of detected instances with their boxes; NaN where there are none."""
        detected = self.box >= 0
        return float(self.iou[detected].mean()) if detected.any() else float("nan")


def match_boxes(
    image_ids: Ints, boxes: Floats, annotations: Annotations, min_iou: float = MIN_IOU
) -> BoxMatches:
    """Match boxes (D, 4) of images (D,) to instances, one to one, with the greatest total IoU.

    Only pairs with at least ``min_iou`` match.
    """
    instances = np.flatnonzero(annotations.scorable())
    image = annotations.image_ids[annotations.image_of()[instances]]
    box_of, iou_of = np.full(len(instances), -1), np.zeros(len(instances))
    boxes_by_image = _rows_by_image(image_ids)
    for image_id, places in _rows_by_image(image).items():
        rows = boxes_by_image.get(image_id)
        if rows is not None:
            overlap = iou(annotations.boxes[instances[places]], boxes[rows])
            n, m = _greatest_total(np.where(overlap >= min_iou, overlap, 0.0))
            box_of[places[n]], iou_of[places[n]] = rows[m], overlap[n, m]
    return BoxMatches(instances, box_of, iou_of)


def _rows_by_image(image_ids: Ints) -> dict[int, Ints]:
    order = np.argsort(image_ids, kind="stable")
    ids, starts = np.unique(image_ids[order], return_index=True)
    return dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=False))


def _greatest_total(overlap: Floats) -> tuple[Any, Any]:
    """Pairs (row, column) of positive overlap with the greatest sum."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(overlap, maximize=True)
    positive = overlap[rows, columns] > 0
    return rows[positive], columns[positive]
