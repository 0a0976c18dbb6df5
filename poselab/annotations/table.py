"""Annotations as columns: one row per image, one row per person, people sorted by image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from poselab.annotations.masks import run_lengths
from poselab.annotations.options import AS_ANNOTATED, AnnotationOptions
from poselab.io.image_names import image_path

if TYPE_CHECKING:
    from pathlib import Path

    from poselab.structures import Floats, Ints, Size, Skeleton

PERSON_COLUMNS = (
    *("annotation_ids", "keypoints", "visibility", "boxes", "areas", "crowd", "head_boxes"),
    *("recorded_keypoints", "held_out", "category_ids"),
)


@dataclass(frozen=True, eq=False)
class Annotations:
    """N annotated images and the M people in them; arrays may be memory-mapped and read-only.

    Images: image_ids (N,) int64; sizes (N, 2) int32 height and width (0: not known); file_names
    (N,) bytes; first_person (N + 1,) int64: the people of image n are the rows first_person[n] to
    first_person[n + 1] - 1, in the file's order.
    People: annotation_ids (M,) int64; keypoints (M, K, 2) float64 0-based image pixels, 0 where not
    labelled and never NaN; visibility (M, K) uint8; boxes (M, 4) float64 x y w h; areas (M,)
    float64; crowd (M,) bool; head_boxes (M, 4) float64 (zeros: none); recorded_keypoints (M,) int64
    the file's ``num_keypoints``, -1 where it has none (see :meth:`labelled`); held_out (M,) bool
    the people of the publisher's test split, None where the file is of one split; metrics that
    compare person by person score only those.
    Regions of crowds and of people without labelled keypoints: mask_rows (R,) int64 person rows,
    mask_ends (R,) int64, and mask_bytes the records, back to back, that :meth:`mask` reads.

    ``fingerprint`` is a digest of the source file's content. Metrics also depend on ``layout``, the
    format that was read; on ``area_rule`` and ``box_rule``, where areas and boxes come from
    ("annotated": the file; others are derived); on ``repeated``, how many image entries were
    dropped as repetitions; and on ``categories``, the ids of the categories of a COCO file that are
    used, with ``category_ids`` (M,) int64 of the people where there are several.
    ``options`` are those that the skeleton and the areas have been changed by. ``outside_images``:
    the user permits names of images that leave the folder of images.
    ``cache_file`` is the file that the columns are mapped from, and ``image_rows`` the image rows
    selected from it; a table with a cache file is pickled as these two, not as arrays.
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
    visibility: Ints
    boxes: Floats
    areas: Floats
    crowd: np.ndarray[tuple[int], np.dtype[np.bool_]]
    head_boxes: Floats
    mask_rows: Ints
    mask_ends: Ints
    mask_bytes: np.ndarray[tuple[int], np.dtype[np.uint8]]
    layout: str = ""
    area_rule: str = "annotated"
    box_rule: str = "annotated"
    recorded_keypoints: Ints | None = None
    repeated: int = 0
    categories: tuple[int, ...] = (1,)
    cache_file: str = ""
    image_rows: Ints | None = None
    held_out: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
    category_ids: Ints | None = None
    options: AnnotationOptions = AS_ANNOTATED
    outside_images: bool = False

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def num_instances(self) -> int:
        """M, the number of people in all images."""
        return len(self.annotation_ids)

    def labelled(self) -> Ints:
        """The number of labelled keypoints (M,), as the file records it or else counted."""
        counted: Ints = np.asarray(np.count_nonzero(self.visibility, axis=1))
        if self.recorded_keypoints is None:
            return counted
        return np.where(self.recorded_keypoints < 0, counted, self.recorded_keypoints)

    def scorable(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Mask (M,) of the people that metrics score: with a labelled keypoint, and not a crowd."""
        return np.asarray((self.visibility > 0).any(axis=1) & ~self.crowd)

    def categories_of(self, annotation_ids: Ints) -> Ints:
        """The category ids (N,) of the people with these ids; the first category for others."""
        result = np.full(len(annotation_ids), self.categories[0], np.int64)
        if self.category_ids is not None and len(self.annotation_ids):
            order = np.argsort(self.annotation_ids)
            place = np.searchsorted(self.annotation_ids[order], annotation_ids)
            rows = order[np.minimum(place, len(order) - 1)]
            known = self.annotation_ids[rows] == annotation_ids
            result[known] = self.category_ids[rows[known]]
        return result

    def image_of(self) -> Ints:
        """The image row (M,) of every person."""
        return np.repeat(np.arange(len(self)), np.diff(self.first_person))

    def rows(self, image: int) -> range:
        """The person rows of one image row."""
        return range(int(self.first_person[image]), int(self.first_person[image + 1]))

    def file_name(self, image: int) -> str:
        """The image's file as the annotations name it, with / between folders."""
        return bytes(self.file_names[image]).decode()

    def image_size(self, image: int) -> Size:
        """The annotated (height, width) of an image, zeros where it is not known."""
        return int(self.sizes[image, 0]), int(self.sizes[image, 1])

    def image_path(self, folder: Path, image: int) -> Path:
        """The image's file, which lies in the folder of images unless it may lie outside.

        Raises:
            InputError: its name leaves the folder.
        """
        return image_path(folder, self.file_name(image), self.outside_images)

    def mask(self, person: int) -> bytes | None:
        """The compressed COCO run-lengths of a person's region, where there is one."""
        where = int(np.searchsorted(self.mask_rows, person))
        if where == len(self.mask_rows) or self.mask_rows[where] != person:
            return None
        start = int(self.mask_ends[where - 1]) if where else 0
        image = int(np.searchsorted(self.first_person, person, side="right")) - 1
        height, width = (int(n) for n in self.sizes[image])
        return run_lengths(bytes(self.mask_bytes[start : self.mask_ends[where]]), (height, width))

    def select(self, images: Any) -> Annotations:
        """The table of some images with their people; image rows (n,), a mask (N,) or a slice."""
        chosen = np.arange(len(self))[images]
        counts = np.diff(self.first_person)[chosen]
        ends = np.cumsum(counts)
        instances = np.repeat(self.first_person[:-1][chosen] - ends + counts, counts)
        instances = instances + np.arange(len(instances))
        mask_rows, mask_ends, mask_bytes = self._select_masks(instances)
        return replace(
            self,
            **{name: getattr(self, name)[chosen] for name in ("image_ids", "sizes", "file_names")},
            **{name: _take(getattr(self, name), instances) for name in PERSON_COLUMNS},
            first_person=np.concatenate([[0], ends]).astype(np.int64),
            mask_rows=mask_rows,
            mask_ends=mask_ends,
            mask_bytes=mask_bytes,
            image_rows=chosen if self.image_rows is None else self.image_rows[chosen],
        )

    def _select_masks(self, instances: Ints) -> tuple[Ints, Ints, Any]:
        """The region columns of some person rows, numbered by their position among these."""
        where = np.searchsorted(self.mask_rows, instances)
        inside = np.minimum(where, max(len(self.mask_rows) - 1, 0))
        kept = (
            np.flatnonzero(self.mask_rows[inside] == instances)
            if len(self.mask_rows)
            else np.empty(0, np.int64)
        )
        starts = np.concatenate([[0], self.mask_ends])
        records = [self.mask_bytes[starts[i] : starts[i + 1]] for i in where[kept]]
        ends = np.cumsum([len(record) for record in records], dtype=np.int64)
        return kept, ends, np.concatenate([np.empty(0, np.uint8), *records])


def _take(column: Any, rows: Ints) -> Any:
    return None if column is None else column[rows]
