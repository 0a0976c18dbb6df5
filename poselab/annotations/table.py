"""Annotations as columns: one row a picture, one row a person, people sorted by picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poselab.structures import Person, Picture, Skeleton

if TYPE_CHECKING:
    from poselab.structures import Floats, Ints


@dataclass(frozen=True)
class Annotations:
    """What people labelled, N pictures and M people; arrays may be memory-mapped and read-only.

    Pictures: image_ids (N,) int64, sizes (N, 2) int32 height and width (0: not known), file_names
    (N,) bytes, first_person (N + 1,) int64: people of picture n are first_person[n]:[n + 1].
    People: annotation_ids (M,) int64, keypoints (M, K, 2) float64 0-based picture pixels (NaN
    nowhere; 0 where not labelled), visible (M, K) uint8, boxes (M, 4) float64 x y w h, areas (M,)
    float64, crowd (M,) bool, head_boxes (M, 4) float64 (zeros: none). Masks of regions that crowds
    or keypoint-less people fill: mask_rows (R,) int64 person rows, mask_ends (R,) int64 and
    mask_bytes, compressed COCO run-lengths back to back.
    ``fingerprint`` names the source file's content.
    """

    skeleton: Skeleton
    source: str
    fingerprint: str
    image_ids: Ints
    sizes: Ints
    file_names: np.ndarray[tuple[int], np.dtype[np.bytes_]]
    first_person: Ints
    annotation_ids: Ints
    keypoints: Floats
    visible: Ints
    boxes: Floats
    areas: Floats
    crowd: np.ndarray[tuple[int], np.dtype[np.bool_]]
    head_boxes: Floats
    mask_rows: Ints
    mask_ends: Ints
    mask_bytes: np.ndarray[tuple[int], np.dtype[np.uint8]]

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def people(self) -> int:
        """How many people are labelled in all pictures."""
        return len(self.annotation_ids)

    def picture_of(self) -> Ints:
        """The picture row (M,) of every person."""
        return np.repeat(np.arange(len(self)), np.diff(self.first_person))

    def rows(self, picture: int) -> range:
        """The person rows of one picture row."""
        return range(int(self.first_person[picture]), int(self.first_person[picture + 1]))

    def file_name(self, picture: int) -> str:
        """The picture's file, relative to the folder of pictures."""
        return bytes(self.file_names[picture]).decode()

    def mask(self, person: int) -> bytes | None:
        """The compressed run-lengths of a person's region, where one is kept."""
        where = int(np.searchsorted(self.mask_rows, person))
        if where == len(self.mask_rows) or self.mask_rows[where] != person:
            return None
        start = int(self.mask_ends[where - 1]) if where else 0
        return bytes(self.mask_bytes[start : int(self.mask_ends[where])])

    def person(self, row: int) -> Person:
        """One row as a :class:`Person`."""
        head = self.head_boxes[row]
        return Person(
            keypoints=self.keypoints[row],
            visible=self.visible[row],
            box=_four(self.boxes[row]),
            area=float(self.areas[row]),
            annotation_id=int(self.annotation_ids[row]),
            crowd=bool(self.crowd[row]),
            head_box=_four(head) if head[2] > 0 else None,
            mask=self.mask(row),
        )

    def picture(self, row: int) -> Picture:
        """One row as a :class:`Picture` with its people."""
        return Picture(
            image_id=int(self.image_ids[row]),
            file_name=self.file_name(row),
            size=(int(self.sizes[row, 0]), int(self.sizes[row, 1])),
            people=tuple(self.person(r) for r in self.rows(row)),
        )


def _four(box: Floats) -> tuple[float, float, float, float]:
    x, y, w, h = (float(v) for v in box)
    return x, y, w, h
