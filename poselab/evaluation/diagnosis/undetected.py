"""Whom a top-down method can never find, because the boxes it was given leave them out.

The term is Cao et al.'s (2017, section 1): where the detector fails, nothing can be recovered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from poselab.geometry import iou

if TYPE_CHECKING:
    from poselab.annotations.table import Annotations
    from poselab.structures import Floats, Ints

FOUND = 0.5
"""Least IoU with a person's annotated box at which a box is taken to show him."""


class Commitment(NamedTuple):
    """What boxes make of L people with labelled keypoints who are no crowd.

    people (L,) rows of the table; box (L,) row of the box that shows each, -1 for those whom none
    shows; overlap (L,) their IoU, 0 for these.
    """

    instances: Ints
    box: Ints
    overlap: Floats

    @property
    def missed(self) -> Ints:
        """Rows of the table of people whom no box shows."""
        return self.instances[self.box < 0]

    @property
    def miss_rate(self) -> float:
        """Share of people whom no box shows; NaN where there is nobody."""
        return float((self.box < 0).mean()) if len(self.instances) else float("nan")

    @property
    def mean_overlap(self) -> float:
        """Mean IoU of the boxes that show somebody; NaN where none does."""
        shown = self.box >= 0
        return float(self.overlap[shown].mean()) if shown.any() else float("nan")


def early_commitment(
    image_ids: Ints, boxes: Floats, annotations: Annotations, least: float = FOUND
) -> Commitment:
    """Deal boxes (D, 4) to people, one to one, so that as much overlap as possible is found.

    Only overlaps of at least ``least`` count. Boxes of other images show nobody.
    """
    labelled = (annotations.visibility > 0).any(axis=1) & ~annotations.crowd
    instances = np.flatnonzero(labelled)
    image = annotations.image_ids[annotations.image_of()[instances]]
    owner, overlap = np.full(len(instances), -1), np.zeros(len(instances))
    rows_of_people, rows_of_boxes = _by_image(image), _by_image(image_ids)
    for image_id, mine in rows_of_people.items():
        theirs = rows_of_boxes.get(image_id)
        if theirs is not None:
            shared = iou(annotations.boxes[instances[mine]], boxes[theirs])
            n, m = _dealt(np.where(shared >= least, shared, 0.0))
            owner[mine[n]], overlap[mine[n]] = theirs[m], shared[n, m]
    return Commitment(instances, owner, overlap)


def _by_image(image_ids: Ints) -> dict[int, Ints]:
    order = np.argsort(image_ids, kind="stable")
    ids, starts = np.unique(image_ids[order], return_index=True)
    return dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=False))


def _dealt(shared: Floats) -> tuple[Any, Any]:
    """Pairs (row, column) of positive overlap with the greatest sum."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(shared, maximize=True)
    real = shared[rows, columns] > 0
    return rows[real], columns[real]
