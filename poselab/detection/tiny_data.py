"""What the small detector learns from: whole images and the boxes of people in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from poselab import geometry
from poselab.data.boxes import whole_images
from poselab.data.framing import STILL, WholeImage
from poselab.data.images import planes, show

if TYPE_CHECKING:
    from poselab.data import Augment, Split
    from poselab.structures import Floats, Size

MOST = 30


class Boxed(NamedTuple):
    """image (3, H, W) uint8 RGB; edges (P, 4) float32 x y x y input pixels and present (P,) bool of
    its people; to_image (2, 3) float32 input → image pixels."""

    image: Any
    edges: Any
    present: Any
    to_image: Any


class BoxedImages(Dataset[Boxed]):
    """Whole images of a split, those with people only if they are augmented to train on.

    Augmentation flips, scales and shifts; boxes would not follow rotation. An item depends on
    the seed, the epoch (set by :attr:`epoch`) and its index alone. Crowds are no people.

    Raises:
        InputError: the annotations do not say how large the images are, or nobody is labelled.
    """

    def __init__(
        self, split: Split, size: Size, augment: Augment | None = None, seed: int = 0
    ) -> None:
        self.split, self.augment, self.seed, self.epoch = split, augment, seed, 0
        self.framing = WholeImage(size)
        self.items = whole_images(split.annotations, inhabited=augment is not None)

    def __len__(self) -> int:
        return len(self.items.image)

    def __getitem__(self, index: int) -> Boxed:
        motion, row = STILL, int(self.items.image[index])
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, self.epoch, index))
            motion = self.augment.motion(rng)._replace(degrees=0.0)
        area = self.framing.area(np.asarray(self.items.boxes[index], dtype=np.float64))
        matrix = self.framing.matrix(area, motion)
        image = show(
            self.split.images / self.split.annotations.file_name(row),
            matrix,
            self.framing.size,
        )
        edges, present = self._people(row, matrix)
        to_image = geometry.invert(matrix).astype(np.float32)
        return Boxed(planes(image), edges, present, to_image)

    def _people(self, image: int, matrix: Floats) -> tuple[Any, Any]:
        """Edges cut to the input, without people whose middles lie outside of it."""
        table = self.split.annotations
        rows = np.array(table.rows(image), dtype=np.int64)
        boxes = np.asarray(table.boxes[rows][~table.crowd[rows]], dtype=np.float64)
        corners = np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        moved = geometry.apply(matrix, corners)
        height, width = self.framing.size
        limits = np.array([width - 0.5, height - 0.5])
        inside = ((moved.mean(axis=1) > -0.5) & (moved.mean(axis=1) < limits)).all(axis=1)
        low, high = moved.min(axis=1).clip(-0.5, limits), moved.max(axis=1).clip(-0.5, limits)
        kept = np.flatnonzero(inside & (high - low > 2).all(axis=1))[:MOST]
        edges, present = np.zeros((MOST, 4), dtype=np.float32), np.zeros(MOST, dtype=bool)
        edges[: len(kept)] = np.concatenate([low, high], axis=1)[kept]
        present[: len(kept)] = True
        return edges, present
