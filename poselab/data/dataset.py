"""From annotations to samples: one matrix, one warp, the same for every method."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from torch.utils.data import Dataset

from poselab import geometry
from poselab.data.images import read_and_warp, to_planes
from poselab.structures import Frame, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from poselab.data.augment import Augment
    from poselab.data.boxes import Items
    from poselab.data.framing import Framing
    from poselab.datasets.base import Split
    from poselab.structures import Floats, Ints, Size

Key = int | tuple[int, int]

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


class _WithoutImage(NamedTuple):
    """A sample before its image is read, and what reading and augmenting it needs."""

    sample: Sample[Any]
    path: Path
    annotated: Size
    matrix: Floats
    rng: np.random.Generator


class PoseDataset(Dataset[Sample[Any]]):
    """Samples of a split; item (epoch, index) depends only on these two and the seed.

    Without ``augment`` every item shows exactly the area of its framing in every epoch. ``items``
    replaces the framing's items.

    Raises:
        InputError: the split has no input to frame.
    """

    def __init__(
        self,
        split: Split,
        framing: Framing,
        augment: Augment | None = None,
        seed: int = 0,
        items: Items | None = None,
    ) -> None:
        self.split, self.framing, self.augment, self.seed = split, framing, augment, seed
        training = augment is not None
        self.items = items or framing.items(split.annotations, training)
        self._areas = framing.area(np.array(self.items.boxes, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.items.image)

    def __getitem__(self, key: Key) -> Sample[Any]:
        return self._with_image(self._without_image(key))

    def __getitems__(self, keys: Sequence[Key]) -> list[Sample[Any]]:
        """The samples of a batch, for loaders.

        The labels of all samples are computed first: alternating with images, which fill the
        processor's cache, they take three times as long.
        """
        return [self._with_image(each) for each in [self._without_image(key) for key in keys]]

    def _without_image(self, key: Key) -> _WithoutImage:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        # Not a worker's generator: samples must not depend on the number of workers.
        rng = np.random.default_rng((self.seed, epoch, index))
        matrix, flipped = self._matrix(index, rng)
        rows = self._person_rows(index)
        keypoints, visibility = self._labels(rows, matrix, flipped)
        sample = Sample(
            image=None,
            keypoints=keypoints,
            visibility=visibility,
            loss_mask=self._loss_mask(index, matrix),
            frame=self._frame(index, matrix),
            boxes=self._boxes(rows, matrix),
        )
        row = int(self.items.image[index])
        path, annotated = self.split.image_path(row), self.split.annotations.image_size(row)
        return _WithoutImage(sample, path, annotated, matrix, rng)

    def _with_image(self, incomplete: _WithoutImage) -> Sample[Any]:
        path, matrix, size = incomplete.path, incomplete.matrix, self.framing.size
        reduced = self.framing.reduced_jpeg
        image = read_and_warp(path, matrix, size, incomplete.annotated, reduced_jpeg=reduced)
        if self.augment is not None:
            image = self.augment.transform_pixels(image, incomplete.rng)
        return incomplete.sample._replace(image=to_planes(image))

    def _matrix(self, index: int, rng: np.random.Generator) -> tuple[Floats, bool]:
        """Image → input pixels for one item, and whether it is flipped."""
        if self.augment is None:
            return self.framing.matrix(self._areas[index]), False
        area, person = self._areas[index], int(self.items.person[index])
        if person >= 0:
            table = self.split.annotations
            half = self.augment.half_body_box(
                table.keypoints[person], table.visibility[person], table.skeleton, rng
            )
            area = area if half is None else self.framing.area(half, padded=False)
        affine = self.augment.sample_affine(rng)
        return self.framing.matrix(area, affine), affine.flipped

    def _person_rows(self, index: int) -> Ints:
        """The person rows of an item: the largest people if there are too many, those without
        labelled keypoints last."""
        table, person = self.split.annotations, int(self.items.person[index])
        if self.framing.max_instances == 1:
            return np.array([person] if person >= 0 else [], dtype=np.int64)
        rows = np.array(table.rows(int(self.items.image[index])), dtype=np.int64)
        rows = rows[~table.crowd[rows]]
        unlabelled = (table.visibility[rows] == 0).all(axis=1)
        chosen = np.lexsort((-table.areas[rows], unlabelled))[: self.framing.max_instances]
        return np.asarray(rows[chosen[np.lexsort((chosen, unlabelled[chosen]))]])

    def _boxes(self, rows: Ints, matrix: Floats) -> Any:
        """Axis-aligned boxes (P, 4) around people's boxes in input pixels, padded with zeros."""
        table, boxes = self.split.annotations, np.zeros((self.framing.max_instances, 4), np.float32)
        low, size = np.split(np.asarray(table.boxes[rows], dtype=np.float64), 2, axis=1)
        corners = low[:, None] + size[:, None] * _CORNERS
        moved = geometry.apply(matrix, corners)
        least, most = moved.min(axis=1), moved.max(axis=1)
        boxes[: len(rows)] = np.concatenate([least, most - least], axis=1)
        return boxes

    def _labels(self, rows: Ints, matrix: Floats, flipped: bool) -> tuple[Any, Any]:
        """keypoints (P, K, 2) in input pixels, inside or not, and visibility (P, K), padded with
        zeros."""
        table = self.split.annotations
        instances, count = self.framing.max_instances, len(table.skeleton)
        keypoints = np.zeros((instances, count, 2), dtype=np.float32)
        visibility = np.zeros((instances, count), dtype=np.uint8)
        if not len(rows):
            return keypoints, visibility
        moved, flags = geometry.apply(matrix, table.keypoints[rows]), table.visibility[rows]
        if flipped:
            swap = list(table.skeleton.flip_index)
            moved, flags = moved[:, swap], flags[:, swap]
        keypoints[: len(rows)], visibility[: len(rows)] = moved, flags
        return keypoints, visibility

    @cached_property
    def _masked_rows(self) -> dict[int, list[int]]:
        """Image row → the person rows with a region to mask: crowds and unlabelled people."""
        table = self.split.annotations
        images = np.searchsorted(table.first_person, table.mask_rows, side="right") - 1
        regions: dict[int, list[int]] = {}
        for image, person in zip(images.tolist(), table.mask_rows.tolist(), strict=True):
            regions.setdefault(image, []).append(person)
        return regions

    def _loss_mask(self, index: int, matrix: Floats) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Ones (H, W), zero on crowds and unlabelled people; (1, 1) for person crops."""
        if self.framing.max_instances == 1:
            return np.ones((1, 1), dtype=np.uint8)
        from pycocotools import mask

        height, width = self.framing.size
        loss_mask = np.ones((height, width), dtype=np.uint8)
        table, image = self.split.annotations, int(self.items.image[index])
        size = [int(n) for n in table.sizes[image]]
        for person in self._masked_rows.get(image, []):
            region = np.asarray(mask.decode({"size": size, "counts": table.mask(person)}))
            moved = cv2.warpAffine(region, matrix, (width, height), flags=cv2.INTER_NEAREST)
            loss_mask[moved > 0] = 0
        return loss_mask

    def _frame(self, index: int, matrix: Floats) -> Frame[Any]:
        table, person = self.split.annotations, int(self.items.person[index])
        return Frame(
            to_image=geometry.invert(matrix).astype(np.float32),
            image_id=int(table.image_ids[self.items.image[index]]),
            annotation_id=int(table.annotation_ids[person]) if person >= 0 else -1,
            box=np.asarray(self.items.boxes[index], dtype=np.float32),
            box_score=float(self.items.scores[index]),
        )
