"""Training samples of the small detector: whole images and the boxes of people in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from poselab import geometry
from poselab.data.boxes import whole_images
from poselab.data.framing import IDENTITY, WholeImage
from poselab.data.images import read_and_warp, to_planes

if TYPE_CHECKING:
    from poselab.data import Augment
    from poselab.datasets.base import Split
    from poselab.structures import Floats, Size

MAX_INSTANCES = 30


class BoxSample(NamedTuple):
    """image (3, H, W) uint8 RGB; corners (P, 4) float32 x y x y input pixels and present (P,) bool
    of its people; to_image (2, 3) float32 input → image pixels."""

    image: Any
    corners: Any
    present: Any
    to_image: Any


class BoxDataset(Dataset[BoxSample]):
    """Whole images of a split; with ``augment``, for training, only those with people.

    Augmentation flips, scales and shifts, but does not rotate, which would make boxes loose. An
    item depends only on the seed, :attr:`epoch` and its index. Crowds are left out.

    Raises:
        InputError: the annotations lack the sizes of images, or no person is labelled.
    """

    def __init__(
        self, split: Split, size: Size, augment: Augment | None = None, seed: int = 0
    ) -> None:
        self.split, self.augment, self.seed, self.epoch = split, augment, seed, 0
        self.framing = WholeImage(size)
        self.items = whole_images(split.annotations, with_people=augment is not None)

    def __len__(self) -> int:
        return len(self.items.image)

    def __getitem__(self, index: int) -> BoxSample:
        affine, row = IDENTITY, int(self.items.image[index])
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, self.epoch, index))
            affine = self.augment.sample_affine(rng)._replace(degrees=0.0)
        area = self.framing.area(np.asarray(self.items.boxes[index], dtype=np.float64))
        matrix = self.framing.matrix(area, affine)
        image = read_and_warp(
            self.split.image_path(row),
            matrix,
            self.framing.size,
            self.split.annotations.image_size(row),
        )
        corners, present = self._boxes(row, matrix)
        to_image = geometry.invert(matrix).astype(np.float32)
        return BoxSample(to_planes(image), corners, present, to_image)

    def _boxes(self, image: int, matrix: Floats) -> tuple[Any, Any]:
        """Corners clipped to the input, without boxes whose centres lie outside of it."""
        table = self.split.annotations
        rows = np.array(table.rows(image), dtype=np.int64)
        boxes = np.asarray(table.boxes[rows][~table.crowd[rows]], dtype=np.float64)
        opposite = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        moved = geometry.apply(matrix, opposite)
        height, width = self.framing.size
        far = np.array([width - 0.5, height - 0.5])
        inside = ((moved.mean(axis=1) > -0.5) & (moved.mean(axis=1) < far)).all(axis=1)
        low, high = moved.min(axis=1).clip(-0.5, far), moved.max(axis=1).clip(-0.5, far)
        kept = np.flatnonzero(inside & (high - low > 2).all(axis=1))[:MAX_INSTANCES]
        corners = np.zeros((MAX_INSTANCES, 4), dtype=np.float32)
        present = np.zeros(MAX_INSTANCES, dtype=bool)
        corners[: len(kept)] = np.concatenate([low, high], axis=1)[kept]
        present[: len(kept)] = True
        return corners, present
